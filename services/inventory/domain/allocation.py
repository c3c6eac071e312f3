"""Which warehouses an order is picked from.

One warehouse is better than two: each more is one more parcel. So the first choice is the nearest warehouse that has
everything. Where none has, the one that has most of what is still missing comes next, until nothing is missing. That is
the greedy set cover: not always the fewest parcels, at most a logarithm more, and it needs no search.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inventory.domain.errors import ShortError, Shortfall
from inventory.domain.stock import StockItem


@dataclass(frozen=True, slots=True, order=True)
class Pick:
    """Units of one thing to take from one warehouse."""

    sku: str
    warehouse: str
    units: int


def allocate(demand: Mapping[str, int], items: Iterable[StockItem]) -> tuple[Pick, ...]:
    """Picks that meet a demand, units by SKU, in the order of SKU and warehouse.

    ``items`` come with the nearest warehouse first. All or nothing: raises ``ShortError`` with everything that is
    short, not only the first.
    """
    free: dict[str, dict[str, int]] = {}
    for item in items:
        free.setdefault(item.warehouse, {})[item.sku] = item.available
    _refuse_short(demand, free)
    missing, picks = dict(demand), []
    while missing:
        warehouse = max(free, key=lambda name: _covered(missing, free[name]))  # max keeps the first of equals
        for sku, units in _taken(missing, free.pop(warehouse)).items():
            picks.append(Pick(sku, warehouse, units))
            missing[sku] -= units
        missing = {sku: units for sku, units in missing.items() if units}
    return tuple(sorted(picks))


def _refuse_short(demand: Mapping[str, int], free: Mapping[str, Mapping[str, int]]) -> None:
    sums = {sku: sum(shelf.get(sku, 0) for shelf in free.values()) for sku in demand}
    short = [Shortfall(sku, wanted, sums[sku]) for sku, wanted in sorted(demand.items()) if sums[sku] < wanted]
    if short:
        raise ShortError(short)


def _taken(missing: Mapping[str, int], shelf: Mapping[str, int]) -> dict[str, int]:
    found = {sku: min(wanted, shelf.get(sku, 0)) for sku, wanted in missing.items()}
    return {sku: units for sku, units in found.items() if units}


def _covered(missing: Mapping[str, int], shelf: Mapping[str, int]) -> int:
    return sum(_taken(missing, shelf).values())
