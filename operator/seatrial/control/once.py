"""Objects of the cluster as models: each version is read once, however many passes look at it."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from seatrial.control.cache import Object

T = TypeVar("T")

LEAST = 64  # readings between two looks for what is gone


class Once(Generic[T]):
    """Remembers what `read` made of an object for as long as `version` of it stays the same.

    `there` gives all objects that there are: what was made of others is dropped now and then.
    """

    def __init__(
        self, read: Callable[[Object], T], version: Callable[[Object], object], there: Callable[[], Iterable[Object]]
    ) -> None:
        self._read = read
        self._version = version
        self._there = there
        self._known: dict[str, tuple[object, T]] = {}  # by uid
        self._until_tidy = LEAST

    def of(self, obj: Object) -> T:
        """What it says."""
        uid, version = obj["metadata"]["uid"], self._version(obj)
        known = self._known.get(uid)
        if known is not None and known[0] == version:
            return known[1]
        made = self._read(obj)
        self._known[uid] = (version, made)
        self._tidy()
        return made

    def _tidy(self) -> None:
        self._until_tidy -= 1
        if self._until_tidy <= 0:
            there = {obj["metadata"]["uid"] for obj in self._there()}
            self._known = {uid: known for uid, known in self._known.items() if uid in there}
            self._until_tidy = max(LEAST, len(self._known))


def generation(obj: Object) -> object:
    """Changes with the spec."""
    return obj["metadata"].get("generation", 0)


def resource_version(obj: Object) -> object:
    """Changes with anything."""
    return obj["metadata"]["resourceVersion"]
