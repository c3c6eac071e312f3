"""What a proxy's figures mean: requests, attempts, failures and slow ones, each request counted once.

Envoy counts events, and one request makes several. Where the figures leave room, the least number that they allow is
taken: nothing is counted that didn't happen. Facts about Envoy that this rests on, each with a test:

- A request has a code once its answer begins, so one that is cut off later has code 200. Its attempts have none when
  they were retried: their answers are under `retry_upstream_rq`, and `upstream_rq_retry` has all retries.
- Resets (`rx_reset`, a connection lost under a request, a failed connect) and tries that took too long each end in a
  retry, in a 502, 503 or 504, or in an answer that was cut off: what is neither of the former is the latter.
- What Envoy says to a gRPC caller in place of an answer has both a 5xx and the status UNAVAILABLE.
- A client that goes before its answer began leaves an attempt without a code: begun, not under way any more, neither
  answered nor retried.
- The histogram holds complete answers alone.
"""

from dataclasses import dataclass

from seatrial.evidence.figures import Figures

# Those of the server's doing, as OpenTelemetry's conventions for gRPC name them: the rest is the caller's.
GRPC_FAILURES = (2, 4, 12, 13, 14, 15)
_GRPC_UNAVAILABLE = 14  # what Envoy says in place of an answer
_SWITCHING = 101  # the one answer below 200 that is final


@dataclass(frozen=True)
class Reading:
    """Since the proxy began, but for `errors` and what follows, which are since an earlier page.

    `answered` requests got a code, `gone` ones have no client any more, `upgraded` ones are WebSockets and the like.
    `refused` of the `retries` followed an answer that is no failure. `begun` and `active` are attempts. Of the
    `complete` answers, `fast` ones took no longer than asked for, where that is `judged`: asked for, and a bound that
    the proxy has. `errors` are answers that say so.

    The last three are differences of events that Envoy counts at the same instant, and a page shows one a moment after
    the other: they may be off for one page, and the next one makes good for it. `lost` requests have no complete
    answer, `cut` ones of them none that says so. `unsaid` are 5xx answers without a status of gRPC.
    """

    answered: int = 0
    gone: int = 0
    retries: int = 0
    refused: int = 0
    upgraded: int = 0
    complete: int = 0
    fast: int = 0
    judged: bool = False
    begun: int = 0
    active: int = 0
    errors: int = 0
    lost: int = 0
    cut: int = 0
    unsaid: int = 0


def read_requests(figures: Figures, before: Figures, *, slower_than: float | None, grpc: bool = False) -> Reading:
    """Of HTTP and gRPC. `slower_than` is in milliseconds and a bound of the histogram."""
    counts, codes = figures.counts, figures.codes
    answered = sum(n for code, n in codes.items() if code >= 200 or code == _SWITCHING)
    retries = counts["upstream_rq_retry"]
    lately = figures.since(before)
    lost = _lost(lately)
    failing = sum(n for code, n in lately.codes.items() if code >= 500)
    complete = counts["upstream_rq_time_count"]
    judged = slower_than is not None and (slower_than in figures.within or not complete)
    return Reading(
        answered=answered,
        gone=_gone(figures, answered + retries),
        retries=retries,
        refused=sum(n for code, n in figures.retried.items() if 400 <= code < 500),
        upgraded=codes[_SWITCHING],
        complete=complete,
        fast=figures.within[slower_than or 0.0],
        judged=judged,
        begun=counts["upstream_rq_total"] + counts["upstream_rq_pending_active"] + _unsent(figures),
        active=counts["upstream_rq_active"] + counts["upstream_rq_pending_active"],
        errors=sum(lately.grpc[status] for status in GRPC_FAILURES) if grpc else failing,
        lost=lost,
        cut=lost - lately.codes[502] - lately.codes[503] - lately.codes[504],
        unsaid=failing - lately.grpc[_GRPC_UNAVAILABLE] if grpc else 0,
    )


def read_connections(figures: Figures, before: Figures) -> Reading:
    """Of TCP: a connection is a request, and failed where it couldn't be made or the server ended it first.

    Envoy closes its own side last, so `destroy_local` are those that the other side, the server, closed first.
    """
    counts, lately = figures.counts, figures.since(before).counts
    begun = counts["upstream_cx_total"] + counts["upstream_cx_none_healthy"] + counts["upstream_cx_overflow"]
    active = counts["upstream_cx_active"]
    unmade = lately["upstream_cx_none_healthy"] + lately["upstream_cx_overflow"] + lately["upstream_cx_connect_fail"]
    errors = unmade + lately["upstream_cx_destroy_local_with_active_rq"]
    return Reading(answered=begun - active, errors=errors, begun=begun, active=active)


def _lost(lately: Figures) -> int:
    """Requests whose last attempt ended without a whole answer, by the pod's doing or by a timeout."""
    counts = lately.counts
    attempts = (
        counts["upstream_rq_rx_reset"]
        + counts["upstream_cx_destroy_remote_with_active_rq"]
        + counts["upstream_rq_pending_failure_eject"]
        + counts["upstream_rq_per_try_timeout"]
    )
    retried = counts["upstream_rq_retry"] - sum(lately.retried.values())
    return attempts - retried + counts["upstream_rq_timeout"]


def _gone(figures: Figures, coded: int) -> int:
    """Requests whose client went before an answer began."""
    sent = figures.counts["upstream_rq_total"] - figures.counts["upstream_rq_active"]
    return max(0, sent + _unsent(figures) - coded)


def _unsent(figures: Figures) -> int:
    """Attempts that ended without ever having had a connection."""
    counts = figures.counts
    return (
        counts["upstream_rq_pending_failure_eject"]
        + counts["upstream_rq_pending_overflow"]
        + counts["upstream_rq_cancelled"]
        + counts["upstream_cx_none_healthy"]
    )
