"""Python's garbage collector in a process whose memory is mostly a cache.

What is cached lives long and has no cycles. The collector would look through all of it whenever a quarter of it is new,
which in a busy minute is every few seconds, and at 300 services that stops everything for a quarter of a second: each
time dozens of looks at rollouts would be late. So it cares for what is young by itself, and for the rest when told to.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000  # objects made and not yet gone when the youngest are looked through
OLDER = 10  # such rounds until those are that outlived one
NEVER = 2**30


@contextmanager
def old_spared() -> Iterator[None]:
    """While the block lasts, what has lived long is looked through by `collect` alone."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, OLDER, NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def collect() -> None:
    """Look through everything, which takes a while."""
    gc.collect()
