from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.control.differ import difference

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def obj(spec: Any, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", **meta}, "spec": spec}


@given(JSON)
def test_an_object_never_differs_from_itself(spec: Any) -> None:
    assert difference(obj(spec), obj(spec)) is None


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_what_others_add_to_a_map_is_no_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert difference(obj(ours), obj(theirs | ours)) is None


@pytest.mark.parametrize(
    ("desired", "live", "path"),
    [
        ({"replicas": 2}, {"replicas": 3}, "spec.replicas"),
        ({"replicas": 0}, {"replicas": 1}, "spec.replicas"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "spec.a[0].b"),
        ({"a": [1]}, {"a": [1, 2]}, "spec.a"),
        ({"a": [1]}, {}, "spec.a"),
        ({"a": {"b": "c"}}, {}, "spec.a"),
        ({"on": True}, {"on": 1}, "spec.on"),
        ({"cpu": "100m"}, {"cpu": "200m"}, "spec.cpu"),
        ({"name": "1k"}, {"name": "k"}, "spec.name"),
    ],
)
def test_the_first_field_that_differs_is_named(desired: Any, live: Any, path: str) -> None:
    assert difference(obj(desired), obj(live)) == path


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        ({"cpu": "0.5"}, {"cpu": "500m"}),
        ({"memory": "1024Mi"}, {"memory": "1Gi"}),
        ({"cpu": 1}, {"cpu": "1"}),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
        ({"labels": {}, "list": [], "off": False}, {}),
        ({"security": {"empty": {}}}, {}),
    ],
)
def test_what_the_api_server_writes_in_other_words_is_no_difference(desired: Any, live: Any) -> None:
    assert difference(obj(desired), obj(live)) is None


def test_the_number_of_another_holder_of_the_lease_is_no_reason_to_write() -> None:
    ours = obj({}, annotations={"seatrial.dev/fencing": "7", "seatrial.dev/content": "a"})
    theirs = obj({}, annotations={"seatrial.dev/fencing": "3", "seatrial.dev/content": "a"})
    assert difference(ours, theirs) is None


def test_other_content_is_a_reason_to_write() -> None:
    ours = obj({}, annotations={"seatrial.dev/content": "a"})
    assert difference(ours, obj({}, annotations={"seatrial.dev/content": "b"}))


def test_a_missing_owner_is_a_difference_and_one_too_many_is_none() -> None:
    one, two = {"uid": "1"}, {"uid": "2"}
    assert difference(obj({}, ownerReferences=[one, two]), obj({}, ownerReferences=[one]))
    assert difference(obj({}, ownerReferences=[one]), obj({}, ownerReferences=[one, two])) is None
