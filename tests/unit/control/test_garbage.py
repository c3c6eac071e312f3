"""What the garbage collector does by itself, and what it is told to."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from seatrial.control import garbage


class Knot:
    """Refers to itself, so that nothing but the collector ends it."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def spared() -> Iterator[None]:
    with garbage.old_spared():
        yield


def full_collections() -> int:
    found: int = gc.get_stats()[2]["collections"]
    return found


@pytest.mark.usefixtures("spared")
def test_a_cache_that_grows_is_never_looked_through_as_a_whole() -> None:
    before = full_collections()
    cache = [{"n": [n]} for n in range(300_000)]
    assert len(cache) == 300_000
    assert full_collections() == before


@pytest.mark.usefixtures("spared")
def test_what_is_young_goes_by_itself() -> None:
    knot = weakref.ref(Knot())
    cache = [{"n": [n]} for n in range(300_000)]
    assert knot() is None
    assert cache


@pytest.mark.usefixtures("spared")
def test_what_is_old_goes_when_it_is_told_to() -> None:
    old = Knot()
    gc.collect(1)
    knot = weakref.ref(old)
    del old
    assert knot() is not None
    garbage.collect()
    assert knot() is None


def test_a_process_that_holds_nothing_any_more_is_as_before() -> None:
    before = gc.get_threshold()
    with garbage.old_spared():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
