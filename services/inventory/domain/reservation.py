"""A reservation: what is held for one order, and how long.

Its whole life is one table, ``LIFE``. A request that comes twice finds its answer there, and so does one that comes
late: a payment for a reservation that has expired tries to take the goods anew, and a reservation that is asked for
after it was released stays released, because messages overtake one another.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Self

from inventory.domain.allocation import Pick
from inventory.domain.errors import MoveRefusedError

Flow = Literal["orchestrated", "choreographed"]
Demand = tuple[tuple[str, int], ...]
"""Units by SKU, sorted, each SKU once."""


class Status(StrEnum):
    """Where a reservation is in its life."""

    ASKED = "asked"
    """Nothing is held: not yet, or because there was not enough."""
    HELD = "held"
    """Units are held until it expires."""
    COMMITTED = "committed"
    """Paid for: units are held until they leave."""
    SHIPPED = "shipped"
    """Units have left the house."""
    RELEASED = "released"
    """Units are free again, for good."""
    EXPIRED = "expired"
    """Units are free again, because nobody paid in time."""


class Move(StrEnum):
    """What can be asked of a reservation."""

    RESERVE = "reserve"
    COMMIT = "commit"
    RELEASE = "release"
    EXPIRE = "expire"
    SHIP = "ship"


class Effect(StrEnum):
    """What happens to the stock."""

    NONE = "none"
    TAKE = "take"
    """available → reserved"""
    RETURN = "return"
    """reserved → available"""
    LEAVE = "leave"
    """reserved → shipped"""
    COME_BACK = "come back"
    """shipped → available"""


class Step(NamedTuple):
    """What a move leads to."""

    status: Status
    effect: Effect = Effect.NONE


_S, _M, _E = Status, Move, Effect
LIFE: Final[dict[Status, dict[Move, Step]]] = {
    _S.ASKED: {
        _M.RESERVE: Step(_S.HELD, _E.TAKE),
        _M.COMMIT: Step(_S.COMMITTED, _E.TAKE),
        _M.RELEASE: Step(_S.RELEASED),
        _M.EXPIRE: Step(_S.ASKED),
    },
    _S.HELD: {
        _M.RESERVE: Step(_S.HELD),
        _M.COMMIT: Step(_S.COMMITTED),
        _M.RELEASE: Step(_S.RELEASED, _E.RETURN),
        _M.EXPIRE: Step(_S.EXPIRED, _E.RETURN),
    },
    _S.COMMITTED: {
        _M.RESERVE: Step(_S.COMMITTED),
        _M.COMMIT: Step(_S.COMMITTED),
        _M.RELEASE: Step(_S.RELEASED, _E.RETURN),
        _M.EXPIRE: Step(_S.COMMITTED),
        _M.SHIP: Step(_S.SHIPPED, _E.LEAVE),
    },
    _S.EXPIRED: {
        _M.RESERVE: Step(_S.HELD, _E.TAKE),
        _M.COMMIT: Step(_S.COMMITTED, _E.TAKE),
        _M.RELEASE: Step(_S.RELEASED),
        _M.EXPIRE: Step(_S.EXPIRED),
    },
    _S.RELEASED: {
        _M.RELEASE: Step(_S.RELEASED),
        _M.EXPIRE: Step(_S.RELEASED),
        _M.SHIP: Step(_S.RELEASED),  # left and called back at once: the carrier brings it home
    },
    _S.SHIPPED: {
        _M.RESERVE: Step(_S.SHIPPED),
        _M.COMMIT: Step(_S.SHIPPED),
        _M.RELEASE: Step(_S.RELEASED, _E.COME_BACK),
        _M.EXPIRE: Step(_S.SHIPPED),
        _M.SHIP: Step(_S.SHIPPED),
    },
}
"""What each move leads to in each state; what isn't here is refused."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held for an order. There is one for an order, whichever way and however often it is asked for.

    ``picks`` say where the units are held, or were taken from; they are empty while nothing is. ``origin`` names the
    user's request that led to it.
    """

    id: str
    order_id: str
    flow: Flow
    demand: Demand
    expires_at: datetime
    origin: str = ""
    status: Status = Status.ASKED
    picks: tuple[Pick, ...] = ()

    def step(self, move: Move) -> Step:
        """What a move leads to. Raises ``MoveRefusedError``."""
        found = LIFE[self.status].get(move)
        if found is None:
            raise MoveRefusedError(f"the reservation for {self.order_id} is {self.status}: it can't {move} any more")
        return found

    def after(self, step: Step, *, picks: tuple[Pick, ...], expires_at: datetime | None = None) -> Self:
        """The reservation after a step. ``picks`` say where its units are held now."""
        return replace(self, status=step.status, picks=picks, expires_at=expires_at or self.expires_at)
