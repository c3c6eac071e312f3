"""How much of the work that doesn't come by request this pod does: messages, relays, schedules.

The mesh routes requests by weight; nobody routes the rest. So the operator writes on each pod what its revision is
(``seatrial.dev/role``), the percent of all work that this shall do (``seatrial.dev/share``), by how many pods
(``seatrial.dev/peers``), and the percent of what it could do that this pod shall do (``seatrial.dev/weight``). The
kubelet keeps a file of it current in the pod, and this is read anew once a second.

The stable revision takes what is left over: it isn't held back, so that no message waits for a canary that has died.
Any other takes its share and not more; at weight 0 it touches nothing.

A pod begins with 0, and is told what it has as soon as somebody sees it. Where nobody tells it anything for minutes
there is no operator any more, nor a rollout: then it does its work rather than wait for ever.
"""

import logging
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

ANNOTATIONS: Final = Path("/etc/seatrial/pod/annotations")
_LINE: Final = re.compile(r'seatrial\.dev/(role|weight|share|peers)="([^"]*)"')
_READ_EVERY: Final = 1.0
UNTOLD_SECONDS: Final = 180.0
"""So long a pod waits to be told. The kubelet may take a minute and a half to show it; an operator that was killed is
replaced within seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one pod is told: of what it could do and, as ``share`` of its revision, of all work. Both from 0 to 1."""

    role: str = "stable"
    weight: float = 1.0
    share: float = 1.0
    peers: int = 1
    told: bool = True
    """Whether somebody has said so: what a pod begins with names no peers."""

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read the file of the downward API: a line ``key="value"`` for each annotation.

        Raises ``ValueError`` for numbers that are none.
        """
        told = dict(_LINE.findall(text))
        weight = _percent(told.get("weight", "100"))
        share = _percent(told["share"]) if "share" in told else weight
        begins = weight == 0 and "peers" not in told
        return cls(told.get("role", "stable"), weight, share, max(1, int(told.get("peers", "1"))), told=not begins)

    @property
    def held_back(self) -> bool:
        """Whether this pod must leave work to others that it could do."""
        return self.weight == 0 or (self.role != "stable" and self.share < 1)

    @property
    def of_all(self) -> float:
        """The part of all work that is this pod's, from 0 to 1."""
        return self.share / self.peers


def _percent(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 100:
        raise ValueError(f"{number:g} is not a percentage")
    return number / 100


class Share:
    """This pod's part, read live. Outside of a mesh there is no file, and the pod does everything."""

    def __init__(
        self,
        path: Path = ANNOTATIONS,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._path = path
        self._clock = clock
        self._draw = draw
        self._part = Part()
        self._next_look = -math.inf
        self._untold_since: float | None = None

    @property
    def part(self) -> Part:
        """What this pod is told now. What can't be read changes nothing, and is said in the log."""
        if self._clock() >= self._next_look:
            self._next_look = self._clock() + _READ_EVERY
            self._look()
        return self._part

    def weight(self) -> float:
        """How much of what it could do this pod shall do, from 0 to 1."""
        return self.part.weight

    def idle(self) -> bool:
        """Whether this pod must touch nothing now."""
        return self.part.weight == 0

    def turn(self) -> bool:
        """Whether to do something now that each pod does again and again: as often as the weight says, by chance."""
        part = self.part
        return not part.held_back or self._draw() < part.weight

    def _look(self) -> None:
        try:
            part = Part.parse(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("the pod's share can't be read", extra={"file": str(self._path), "cause": str(error)})
            return
        if part.told:
            self._untold_since = math.inf
        elif self._untold_since is None:
            self._untold_since = self._clock()
        elif self._clock() - self._untold_since >= UNTOLD_SECONDS:
            part = Part(told=False)
        if part != self._part:
            _log.info("share of the work", extra=asdict(part))
        self._part = part


class Ration:
    """How many messages a pod may take, so that of all that are delivered to anyone its part is as it was told.

    The broker numbers the deliveries of a consumer, whoever gets them. Of each stretch of them the pod earns its part,
    and pays one for each message it takes. So over any time it takes at most its part of all deliveries and one more,
    and where it is able to, it takes no less: no clock and no knowledge of others is in it. What it can't use it may
    keep up to ``most``, or four times what it has just earned: a pod that was busy catches up a little, and never with
    all it has missed.
    """

    def __init__(self, most: int, *, draw: Callable[[], float] = random.random) -> None:
        self._most = most
        self._earned = draw()  # so that many pods of one revision don't take their first at the same moment
        self._seen: int | None = None

    def delivered(self, total: int, part: float) -> float:
        """The broker has delivered so many to all, this pod included: tells what the pod has earned by that.

        What is older than known says nothing new.
        """
        if self._seen is None or total < self._seen - self._most:  # the consumer was made anew, and counts from 1
            self._seen = total
        earned = part * max(0, total - self._seen)
        self._earned = min(max(self._most, 4 * earned), self._earned + earned)
        self._seen = max(self._seen, total)
        return earned

    def took(self) -> None:
        """This pod took one."""
        self._earned -= 1

    @property
    def left(self) -> int:
        """How many it may take now."""
        return max(0, math.floor(self._earned))
