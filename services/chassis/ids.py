"""Ids that sort by the time they were made, so that an index grows at one end and a list by id is a list by age."""

from uuid_utils import uuid7


def new_id() -> str:
    """A UUID version 7 (RFC 9562) as text. Ids of one process rise strictly."""
    return str(uuid7())
