"""How a change of a MeshService gets its traffic, and what it must prove on the way."""

from typing import Annotated, Literal

from pydantic import Field

from seatrial.api.base import COOKIE_NAME_PATTERN, Duration, Model, Name, keyed_by


class Latency(Model):
    """How many requests may be slow."""

    slower_than: Duration = Field(
        description="A boundary of the proxies' histogram, as 250ms; errors name the nearest."
    )
    max_percent: Annotated[float, Field(ge=0, le=100)] = Field(1, description="Most slow requests, in percent.")


class Query(Model):
    """An objective of one's own: two PromQL expressions of counters, {{service}} and {{revision}} filled in."""

    name: Name = Field(description="How it is called in verdicts.")
    total: Annotated[str, Field(min_length=1, max_length=4096, description="How many there were so far.")]
    bad: Annotated[str, Field(min_length=1, max_length=4096, description="How many of them were bad.")]
    max_percent: Annotated[float, Field(ge=0, le=100)] = Field(1, description="Most bad ones, in percent.")


class Prometheus(Model):
    """Where the evidence is asked for when `source` is prometheus."""

    address: Annotated[str, Field(pattern=r"^https?://", max_length=512, description="One that the chart allows.")]
    queries: list[Query] = Field(
        default_factory=list,
        max_length=8,
        json_schema_extra=keyed_by("name"),
        description="Beside the built-in ones for istio_requests_total.",
    )


class Analysis(Model):
    """What a revision must prove. Every objective is a share of bad requests, compared with the stable revision."""

    source: Literal["proxies", "prometheus"] = Field(
        "proxies", description="proxies: the statistics of the callers' Envoys. prometheus: queries."
    )
    prometheus: Prometheus | None = None
    max_error_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        1, description="Most failed requests, in percent; ignored while stable itself has more."
    )
    latency: Latency | None = Field(None, description="Without it latency isn't judged.")
    tolerate_percent_points: Annotated[float, Field(gt=0, le=50)] = Field(
        1, description="How much worse than stable is still as good: the margin of every comparison."
    )
    confidence: Annotated[float, Field(ge=50, le=99.99)] = Field(
        95, description="Percent. An equal revision is rolled back, or a worse one promoted, no oftener than the rest."
    )
    min_requests: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        50, description="Of the new revision, before its first promotion to a higher weight. Never delays a rollback."
    )
    step_timeout: Duration = Field("5m", description="A step that has no verdict by then is inconclusive.")
    on_inconclusive: Literal["pause", "rollback", "promote"] = Field(
        "pause", description="What follows where a step had requests enough and no verdict by its timeout."
    )
    on_no_traffic: Literal["wait", "pause", "promote"] = Field(
        "wait", description="What follows where a step had too few requests to judge by its timeout."
    )


class TextMatch(Model):
    """How a text must look: one of exact, prefix, regex."""

    exact: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(None, description="The whole text.")
    prefix: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(None, description="How it begins.")
    regex: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="RE2 expression for the whole text."
    )


class Audience(Model):
    """Some requests: all headers and cookies that are given must hold."""

    headers: dict[str, TextMatch] = Field(default_factory=dict, max_length=8, description="By header name.")
    cookies: dict[str, str] = Field(
        default_factory=dict, max_length=3, description="Exact values by name, wherever they stand among other cookies."
    )


class Affinity(Model):
    """Users of the ingress gateway stay with the revision that they were drawn to."""

    cookie: Annotated[str, Field(pattern=COOKIE_NAME_PATTERN, max_length=64)] = Field(
        "seatrial", description="How the cookie's name begins; the service's name follows, as in seatrial-orders."
    )
    for_: Duration = Field(
        "1h", alias="for", description="How long after the last request a user is known; 1s or more."
    )


Strategy = Literal["canary", "blueGreen", "abTest", "mirror", "none"]
PREVIEW_HEADER = "x-seatrial-preview"


class Rollout(Model):
    """How a changed template gets its traffic."""

    strategy: Strategy = Field(
        "canary",
        description="canary: in steps. blueGreen: marked test requests first, then all at once. abTest: those who match"
        " until it is decided, then all. mirror: copies of safe requests first, then in steps. none: all at once.",
    )
    steps: list[Annotated[int, Field(ge=1, le=99)]] = Field(
        default=[5, 25, 50],
        max_length=20,
        description="Percent of traffic at each step of canary and mirror, rising; 100 follows. [] with analysis: the"
        " evidence chooses.",
    )
    hold: Duration = Field("5s", description="Least time a step, counted from when the proxies carry its weight.")
    analysis: Analysis | None = Field(
        None, description="Each step waits for this evidence; {} takes the defaults. Without it `hold` is all."
    )
    match: list[Audience] = Field(
        default_factory=list,
        max_length=16,
        description="Requests that the new revision gets before the public's: one of these must hold. abTest needs it;"
        " blueGreen takes the header x-seatrial-preview with the service's name where nothing is said.",
    )
    mirror_percent: Annotated[int, Field(ge=1, le=100)] = Field(
        100, description="For mirror: of the requests by GET, HEAD and OPTIONS, so many percent are copied."
    )
    affinity: Affinity | None = Field(
        None, description="For canary: users of the ingress gateway stay on their side. {} takes the defaults."
    )
    progress_deadline: Duration = Field("2m", description="The revision's pods must be ready by then, or it fails.")
    keep_revisions: Annotated[int, Field(ge=1, le=20)] = Field(
        3, description="Old revisions kept at 0 replicas, for going back."
    )

    def audience(self, service: str) -> list[Audience]:
        """The requests that the new revision of the service gets before the public's; none in some strategies."""
        if self.strategy == "blueGreen" and not self.match:
            return [Audience(headers={PREVIEW_HEADER: TextMatch(exact=service)})]
        return list(self.match) if self.strategy in {"blueGreen", "abTest"} else []
