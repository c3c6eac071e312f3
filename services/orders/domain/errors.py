"""Why something isn't possible with an order."""

from collections.abc import Collection


class OrderError(Exception):
    """A rule is broken; the message says which one."""


class InvalidMoneyError(OrderError):
    """An amount or a currency that isn't one."""


class MixedCurrenciesError(OrderError):
    """Amounts of different currencies can't be added."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other} can't be in one order: place one order for each currency")


class InvalidAddressError(OrderError):
    """An address that no carrier could find."""


class InvalidRuleError(OrderError):
    """A discount rule that can't be read."""


class UnknownProductsError(OrderError):
    """Some of the products don't exist."""

    def __init__(self, skus: Collection[str]) -> None:
        super().__init__(f"no product has the SKU {', '.join(sorted(skus))}")
        self.skus = frozenset(skus)


class WrongStateError(OrderError):
    """The order, or its saga, isn't in a state that allows it."""
