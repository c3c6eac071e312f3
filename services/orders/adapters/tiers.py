"""Which customers the shop knows better, from its settings."""

from collections.abc import Collection


class ListedTiers:
    """Gold are those on a list; everybody else is standard."""

    def __init__(self, gold: Collection[str]) -> None:
        self._gold = frozenset(gold)

    async def of(self, customer: str) -> str:
        """The tier of a customer."""
        return "gold" if customer in self._gold else "standard"
