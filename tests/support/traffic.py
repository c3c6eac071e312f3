"""What a load saw, as assertions that say what went wrong when they fail."""

from collections import Counter

from loadtests import ALPHA, OpenLoad, Recording

SPLITS_IN_A_RUN = 20  # no more than so many splits are judged in one run of all tests; they share ALPHA


def nothing_lost(seen: Recording, *, least: int = 1) -> None:
    """Every request got the right answer, and there were at least that many."""
    assert seen.total >= least, f"only {seen.total} requests: nothing is proven"
    assert not seen.failed, story(seen)


def go_on(load: OpenLoad, count: int, *, within: float = 30) -> Recording:
    """Wait until that many more requests are over, and give all so far: a time that says how much it proves."""
    before = load.snapshot().total
    return load.until(lambda seen: seen.total >= before + count, within=within)


def story(seen: Recording) -> str:
    """How many requests failed, in which ways, and when the first and the last of them were sent."""
    if not seen.failed:
        return f"none of {seen.total} requests failed"
    kinds = ", ".join(
        f"{count} times {what}" for what, count in Counter(r.error or r.status for r in seen.failed).items()
    )
    began = seen.requests[0].intended
    first, last = (r.intended - began for r in (seen.failed[0], seen.failed[-1]))
    return f"{len(seen.failed)} of {seen.total} requests failed, {first:.1f} to {last:.1f} s into the load: {kinds}"


def fits(seen: Recording, service: str, revision: int, percent: float) -> None:
    """The revision's share can't be told from `percent` by chance of ALPHA for the whole run of all tests."""
    split = seen.split(service)
    assert split.total, f"{service} got no calls in that time"
    allowed = split.bound(percent, ALPHA / SPLITS_IN_A_RUN)
    count = split.counts.get(revision, 0)
    assert count in allowed, (
        f"r{revision} got {count} of {split.total} calls ({split.percent(revision):.1f} %); {percent} % were asked "
        f"for, which is {allowed} but for a chance of {ALPHA / SPLITS_IN_A_RUN:.0e}"
    )
