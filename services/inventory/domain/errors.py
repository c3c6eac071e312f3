"""Why something can't be done with stock."""

from collections.abc import Iterable
from dataclasses import dataclass


class InventoryError(Exception):
    """A rule of the warehouse stands against it; the message says which one."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """How much of one thing was wanted, and how much of it is free in all warehouses."""

    sku: str
    wanted: int
    available: int


class ShortError(InventoryError):
    """Not all of a demand is there, so nothing of it is held."""

    def __init__(self, shortfalls: Iterable[Shortfall]) -> None:
        self.shortfalls = tuple(shortfalls)
        missing = ", ".join(f"{one.wanted} of {one.sku} (free: {one.available})" for one in self.shortfalls)
        super().__init__(f"not in stock: {missing}")


class MoveRefusedError(InventoryError):
    """A reservation in this state can't do that any more."""


class UnknownItemError(InventoryError):
    """A warehouse has never had it."""
