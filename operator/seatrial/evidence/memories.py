"""What a source of evidence keeps of each host from look to look, and what an earlier process of ours left for it."""

from collections.abc import Callable
from typing import Generic, TypeVar

from seatrial.rollout.evidence import Counters

M = TypeVar("M")


class Remembering(Generic[M]):
    """A source that remembers, so that every look is a difference."""

    def __init__(self) -> None:
        self._memories: dict[str, M] = {}
        self._left: dict[str, Counters] = {}

    def resume(self, host: str, counters: Counters) -> None:
        """Go on from what an earlier process counted, its last `Look.counters`: the next look brings what is new."""
        self._memories.pop(host, None)
        self._left[host] = counters

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host: the next look begins."""
        self._memories.pop(host, None)
        self._left.pop(host, None)

    def remembered(self, host: str, *, fits: Callable[[M], bool], begin: Callable[[Counters], M]) -> M:
        """The memory of a host. One that doesn't fit any more is begun anew, the first one from what was left."""
        memory = self._memories.get(host)
        if memory is None or not fits(memory):
            memory = self._memories[host] = begin(self._left.pop(host, {}))
        return memory
