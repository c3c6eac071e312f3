"""What a rollout must be beyond its types: each strategy has what it needs, and a latency can be measured."""

from seatrial.api.base import seconds
from seatrial.api.buckets import LATENCY_BUCKETS_MS
from seatrial.api.meshservice import MeshServiceSpec
from seatrial.api.rollouts import Affinity, Analysis, Audience, Latency, Rollout, TextMatch
from seatrial.api.rule import Rule, given


def _written(milliseconds: float) -> str:
    whole = int(milliseconds)
    if whole % 60_000 == 0:
        return f"{whole // 60_000}m"
    return f"{whole}ms" if whole % 1000 else f"{whole // 1000}s"


_AHEAD = frozenset({"blueGreen", "abTest", "mirror"})  # tried before the public's requests, by routes of their own
_BOUNDARIES = tuple(_written(b) for b in LATENCY_BUCKETS_MS if b == int(b))
_IN_CEL = "[" + ", ".join(f"'{b}'" for b in _BOUNDARIES) + "]"
_AWAY = (
    "(duration({0}) > duration(self.slowerThan) ? duration({0}) - duration(self.slowerThan)"
    " : duration(self.slowerThan) - duration({0}))"
)


def _nearest_boundary(latency: Latency) -> str:
    return min(_BOUNDARIES, key=lambda b: abs(seconds(b) - seconds(latency.slower_than)))


def _has_http(spec: MeshServiceSpec) -> bool:
    return any(p.app_protocol != "tcp" for p in spec.service_ports)


def _rising(rollout: Rollout) -> bool:
    return all(a < b for a, b in zip(rollout.steps, rollout.steps[1:], strict=False))


ROLLOUT_RULES: tuple[Rule, ...] = (
    Rule(
        model=Rollout,
        field="steps",
        cel="!has(self.steps) || (self.steps.isSorted() && self.steps.all(s, self.steps.exists_one(t, t == s)))",
        holds=_rising,
        message="steps are {}: each must be higher than the one before it",
        remedy="write them rising between 1 and 99, like [5, 25, 50]; 100 follows by itself",
        shown_cel="self.steps",
        shown=lambda r: r.steps,
    ),
    Rule(
        model=Rollout,
        field="steps",
        cel="!has(self.steps) || self.steps.size() > 0 || has(self.analysis)"
        " || !(self.strategy in ['canary', 'mirror'])",
        holds=lambda r: bool(r.steps) or r.analysis is not None or r.strategy not in {"canary", "mirror"},
        message="steps are [] and there is no analysis, so nothing chooses the weights",
        remedy="give `analysis: {}`, or steps like [5, 25, 50]; all at once is `strategy: none`",
    ),
    Rule(
        model=Rollout,
        field="match",
        cel="!has(self.strategy) || self.strategy != 'abTest' || (has(self.match) && self.match.size() > 0)",
        holds=lambda r: r.strategy != "abTest" or bool(r.match),
        message="match is [] and strategy is abTest, so nobody gets the new revision",
        remedy="say who does, like [{headers: {x-audience: {exact: beta}}}] or [{cookies: {audience: beta}}]",
    ),
    Rule(
        model=Rollout,
        field="affinity",
        cel="!has(self.affinity) || self.strategy == 'canary'",
        holds=lambda r: r.affinity is None or r.strategy == "canary",
        message="affinity is given and strategy is {}, which draws no users",
        remedy="take it out, or set strategy to canary",
        shown_cel="self.strategy",
        shown=lambda r: r.strategy,
    ),
    Rule(
        model=MeshServiceSpec,
        field="rollout.affinity",
        cel="!has(self.rollout) || !has(self.rollout.affinity) || (has(self.expose) && self.expose.size() > 0)",
        holds=lambda s: s.rollout.affinity is None or bool(s.expose),
        message="affinity is given and expose is not: the ingress gateway alone knows users",
        remedy="take it out, or give expose",
    ),
    Rule(
        model=MeshServiceSpec,
        field="rollout.strategy",
        cel="!has(self.rollout) || !(self.rollout.strategy in ['abTest', 'blueGreen', 'mirror']) || has(self.port)"
        " || (has(self.ports) && self.ports.exists(p, p.appProtocol != 'tcp'))",
        holds=lambda s: s.rollout.strategy not in _AHEAD or _has_http(s),
        message="strategy is {} and there is no http or grpc port whose requests could be told apart",
        remedy="set it to canary or none",
        shown_cel="self.rollout.strategy",
        shown=lambda s: s.rollout.strategy,
    ),
    Rule(
        model=Affinity,
        field="for",
        cel="duration(self.__for__) >= duration('1s')",
        holds=lambda a: seconds(a.for_) >= 1,
        message="for is {}, and cookies live for whole seconds",
        remedy="give 1s or more, like 1h",
        shown_cel="self.__for__",
        shown=lambda a: a.for_,
    ),
    Rule(
        model=Audience,
        field="",
        cel="(has(self.headers) && self.headers.size() > 0) || (has(self.cookies) && self.cookies.size() > 0)",
        holds=lambda a: bool(a.headers or a.cookies),
        message="must say which requests are meant",
        remedy="give headers, like {x-audience: {exact: beta}}, or cookies, like {audience: beta}",
    ),
    Rule(
        model=TextMatch,
        field="",
        cel="[has(self.exact), has(self.prefix), has(self.regex)].filter(given, given).size() == 1",
        holds=lambda m: given(m.exact, m.prefix, m.regex) == 1,
        message="must say how the header looks",
        remedy="give one of exact, prefix and regex",
    ),
    Rule(
        model=Analysis,
        field="prometheus",
        cel="self.source != 'prometheus' || has(self.prometheus)",
        holds=lambda a: a.source != "prometheus" or a.prometheus is not None,
        message="source is prometheus, and it isn't said where that is",
        remedy="give `prometheus: {address: http://…}`, one that the chart allows, or take source out",
    ),
    Rule(
        model=Latency,
        field="slowerThan",
        cel=f"{_IN_CEL}.exists(b, duration(b) == duration(self.slowerThan))",
        holds=lambda latency: seconds(latency.slower_than) in {seconds(b) for b in _BOUNDARIES},
        message="slowerThan is {}, and the proxies' histograms have no such boundary: the nearest is {}",
        remedy=f"take one of {' '.join(_BOUNDARIES)}",
        shown_cel=f"self.slowerThan, {_IN_CEL}.filter(b, {_AWAY.format('b')}"
        f" == {_IN_CEL}.map(c, {_AWAY.format('c')}).min())[0]",
        shown=lambda latency: (latency.slower_than, _nearest_boundary(latency)),
    ),
)
