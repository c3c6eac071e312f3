"""Who answered: the chain of services that a response names in its header `x-served-by`. Pure."""

from dataclasses import dataclass

HEADER = "x-served-by"


@dataclass(frozen=True, slots=True)
class Hop:
    """One service of the chain. Revision 0 stands for a service that runs without the operator."""

    service: str
    revision: int
    pod: str


def parse(header: str) -> tuple[Hop, ...]:
    """Read the chain, outermost first.

    What can't be read is left out: a load test counts answers, whoever wrote their headers.

    >>> parse("gateway;revision=1;pod=gateway-1-x, orders;revision=3;pod=orders-3-y")[1].revision
    3
    """
    hops = (_hop(part) for part in header.split(","))
    return tuple(hop for hop in hops if hop is not None)


def _hop(part: str) -> Hop | None:
    service, *parameters = (word.strip() for word in part.split(";"))
    values = dict(word.split("=", 1) for word in parameters if "=" in word)
    revision = values.get("revision", "0") or "0"
    if not service or not (revision.isascii() and revision.isdigit()):
        return None
    return Hop(service, int(revision), values.get("pod", ""))
