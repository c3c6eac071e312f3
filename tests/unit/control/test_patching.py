"""What of a status is sent, when it has changed."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.control.patching import merge_patch

JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)
STATUS = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(STATUS, STATUS)
def test_a_status_with_its_patch_is_the_new_one(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, after)) == after


@given(STATUS)
def test_nothing_is_sent_of_what_is_there(status: dict[str, Any]) -> None:
    assert merge_patch(status, status) == {}


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        (
            {"weight": {"wanted": 5, "verified": 5}},
            {"weight": {"wanted": 10, "verified": 5}},
            {"weight": {"wanted": 10}},
        ),
        ({"url": "a", "phase": "Ready"}, {"phase": "Ready"}, {"url": None}),
        ({"attempts": [{"number": 1}]}, {"attempts": [{"number": 2}]}, {"attempts": [{"number": 2}]}),
        ({}, {"weight": {}}, {"weight": {}}),
    ],
)
def test_only_what_differs_is_sent(before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any]) -> None:
    assert merge_patch(before, after) == patch
