"""How evidence is asked for, as a port: whoever holds the connections to pods implements it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Pod:
    """A pod with a proxy: a caller, or istiod."""

    namespace: str
    name: str
    ip: str

    @property
    def proxy(self) -> str:
        """How istiod names its proxy."""
        return f"{self.name}.{self.namespace}"


class Ask(Protocol):
    """GET a path of a port of a pod."""

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        """The body of a 200; raises `Refused`, `Absent` or `Unanswered`."""
        ...


class Refused(Exception):  # noqa: N818 # named for what happened
    """The endpoint is closed to us: asking again changes nothing."""


class Absent(Exception):  # noqa: N818 # named for what happened
    """The endpoint doesn't know what was asked for."""


class Unanswered(Exception):  # noqa: N818 # named for what happened
    """No answer, or one that says that the other side is in trouble: ask again."""
