"""Ids: never the same twice, and a list by id is a list by age."""

from uuid import UUID

from chassis.ids import new_id


def test_ids_differ_and_rise_however_many_there_are() -> None:
    """Of 200,000 ids of eight hexadecimal digits about five pairs would be the same."""
    ids = [new_id() for _ in range(200_000)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert UUID(ids[0]).version == 7
