"""Istio's own metrics: which series are a service's, and what one of them says of a request.

`istio_requests_total` and its histogram are counted by Istio's proxy alone, one a request whatever the retries in it:
attempts are told as requests. `reporter="source"` is the caller's side, which sees requests that never reached a pod.
The revision is the label `destination_canonical_revision` (`r3`), which comes from the pods' label of that name; a
request for which no pod was found has none, so it is no revision's evidence.
"""

from collections.abc import Iterable, Mapping

from seatrial.api.names import INGRESS_NAMESPACE
from seatrial.evidence.promql import literal
from seatrial.evidence.question import INGRESS, Protocol
from seatrial.evidence.reading import GRPC_FAILURES
from seatrial.rollout.evidence import Tally

Labels = Mapping[str, str]

REQUESTS = "istio_requests_total"
DURATIONS = "istio_request_duration_milliseconds_bucket"

# Of Envoy's flags, those by which the service, or the way to it, spoilt an answer whose code may look well.
_SPOILT = frozenset({"DT", "LR", "SI", "UC", "UF", "UPE", "UR", "UT"})


def callers_series(host: str, slower_than: float | None) -> str:
    """What the callers' proxies counted of a host, of all its revisions."""
    names, bounds = REQUESTS, ""
    if slower_than is not None:
        names = f"{REQUESTS}|{DURATIONS}"
        bounds = f",le=~{literal(_bounds(slower_than))}"
    return (
        f'{{__name__=~"{names}",reporter="source",destination_service={literal(host)},'
        f'destination_canonical_revision=~"r[0-9]+"{bounds}}}'
    )


def pods_series(host: str, revision: int) -> str:
    """What the proxies in front of a revision's pods counted."""
    return (
        f'{REQUESTS}{{reporter="destination",destination_service={literal(host)},'
        f'destination_canonical_revision="r{revision}"}}'
    )


def known_bounds(host: str) -> str:
    """The boundaries of the histogram, one series each."""
    return f'group by (le) ({DURATIONS}{{reporter="source",destination_service={literal(host)}}})'


def has_bound(found: Iterable[Labels], slower_than: float) -> bool:
    """Whether the histogram, where there is one, has the boundary."""
    bounds = {labels["le"] for labels in found if "le" in labels}
    return not bounds or any(b != "+Inf" and float(b) == slower_than for b in bounds)


def revision_of(labels: Labels) -> int:
    """The revision that answered."""
    return int(labels["destination_canonical_revision"].removeprefix("r"))


def caller_of(labels: Labels) -> str:
    """Who called: `namespace/name`, or `ingress`."""
    namespace = labels.get("source_workload_namespace", "")
    return INGRESS if namespace == INGRESS_NAMESPACE else f"{namespace}/{labels.get('source_canonical_service', '')}"


def is_timing(labels: Labels) -> bool:
    """Whether the series is of the histogram."""
    return labels["__name__"] == DURATIONS


def tally_of(labels: Labels, count: int, protocol: Protocol) -> Tally:
    """What `count` more of a series mean. Only the sum over all series of a histogram makes sense: all minus fast."""
    if is_timing(labels):
        return Tally(timed=count, slow=count) if labels["le"] == "+Inf" else Tally(slow=-count)
    failed = count if has_failed(labels, protocol) else 0
    return Tally(requests=count, failed=failed, attempts=count, failed_attempts=failed, started=count)


def has_failed(labels: Labels, protocol: Protocol) -> bool:
    """Whether the requests of a series did. Code 0 is one that nobody answered before its client left."""
    code = int(labels.get("response_code") or 0)
    if code == 0 or code >= 500 or _SPOILT.intersection(labels.get("response_flags", "").split(",")):
        return True
    status = labels.get("grpc_response_status", "")
    return protocol == "grpc" and status.isdigit() and int(status) in GRPC_FAILURES


def _bounds(slower_than: float) -> str:
    """No boundary (a series of another metric), the asked one (Prometheus 3 writes 250 as 250.0), and all."""
    number = f"{slower_than:.3f}".rstrip("0").rstrip(".")
    return rf"|{number.replace('.', '[.]')}([.]0)?|[+]Inf"
