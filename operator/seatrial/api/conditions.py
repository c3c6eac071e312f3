"""Conditions, as Kubernetes' API conventions define them, as values that know whether they changed."""

from typing import Literal

from seatrial.api.base import Lenient

Truth = Literal["True", "False", "Unknown"]


class Condition(Lenient):
    """One statement about an object."""

    type: str
    status: Truth
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


def merge(old: list[Condition], new: list[Condition], now: str) -> list[Condition]:
    """Take `new`, in its order; the transition time moves only where the status did.

    `now` is an RFC 3339 time in UTC.
    """
    before = {c.type: c for c in old}

    def since(c: Condition) -> str:
        was = before.get(c.type)
        return was.last_transition_time if was and was.status == c.status and was.last_transition_time else now

    return [c.model_copy(update={"last_transition_time": since(c)}) for c in new]
