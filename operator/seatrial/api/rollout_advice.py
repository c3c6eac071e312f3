"""What is legal in a rollout and hardly meant: settings that its strategy passes over, evidence that nobody gives."""

from collections.abc import Iterator

from seatrial.api.base import seconds
from seatrial.api.meshservice import SAFE, MeshServiceSpec
from seatrial.api.problems import Level, Problem
from seatrial.api.rollouts import Rollout

_IN_STEPS = frozenset({"canary", "mirror"})
_FIRST = {"blueGreen": "the marked requests", "abTest": "the users who match", "mirror": "the copies"}


def rollout_advice(spec: MeshServiceSpec) -> Iterator[Problem]:
    """All of it, under the fields of ``spec.rollout``."""
    yield from _passed_over(spec.rollout)
    yield from _unjudged(spec)
    yield from _analysis(spec)
    if spec.rollout.strategy == "mirror":
        yield from _nothing_to_copy(spec)


def _advice(field: str, message: str, remedy: str, value: object = None) -> Problem:
    return Problem(f"spec.rollout.{field}", message, remedy, value=value, level=Level.ADVICE)


def _passed_over(rollout: Rollout) -> Iterator[Problem]:
    strategy, default = rollout.strategy, Rollout()
    if strategy not in _IN_STEPS and list(rollout.steps) != list(default.steps):
        message = f"do nothing: strategy is {strategy}"
        yield _advice("steps", message, "take them out, or set strategy to canary", rollout.steps)
    if rollout.match and strategy not in {"abTest", "blueGreen"}:
        yield _advice("match", f"does nothing: strategy is {strategy}", "take it out, or set strategy to abTest")
    if rollout.mirror_percent != default.mirror_percent and strategy != "mirror":
        message = f"does nothing: strategy is {strategy}"
        yield _advice("mirrorPercent", message, "take it out, or set strategy to mirror", rollout.mirror_percent)


def _unjudged(spec: MeshServiceSpec) -> Iterator[Problem]:
    """A first part that nobody looks at."""
    rollout = spec.rollout
    if rollout.strategy in _FIRST and rollout.analysis is None:
        yield _advice(
            "analysis",
            f"isn't given, so nothing is learnt from {_FIRST[rollout.strategy]}: after {rollout.hold} it goes on",
            "give `analysis: {}`, or a long hold, and decide by `seatrial promote` or `seatrial abort`",
        )


def _analysis(spec: MeshServiceSpec) -> Iterator[Problem]:
    analysis = spec.rollout.analysis
    if analysis is None:
        return
    if seconds(analysis.step_timeout) < seconds(spec.rollout.hold):
        message = f"is {analysis.step_timeout}, and each step is held for {spec.rollout.hold}"
        yield _advice("analysis.stepTimeout", message, "make it longer than hold", analysis.step_timeout)
    if analysis.source == "prometheus":
        return
    if analysis.prometheus is not None:
        yield _advice("analysis.prometheus", "does nothing: source is proxies", "take it out, or set source")
    if not spec.service_ports:
        if not spec.security.calls:
            yield _advice(
                "analysis",
                "has no calls to count: the service has no port and calls nobody",
                "take it out, or set its source to prometheus and give queries",
            )
    elif not any(c.service or spec.expose for c in spec.security.callers):
        yield _advice(
            "analysis",
            "has nobody to ask: no service may call, and nothing is exposed",
            "give spec.security.callers, or set its source to prometheus",
        )


def _nothing_to_copy(spec: MeshServiceSpec) -> Iterator[Problem]:
    ports = [p for p in spec.service_ports if p.app_protocol != "tcp"]
    if ports and all(p.app_protocol == "grpc" for p in ports):
        yield _advice("strategy", "is mirror, and gRPC calls are POST: none is copied", "set it to canary or blueGreen")
    callers = spec.security.callers
    if callers and all(c.methods and not set(c.methods) & set(SAFE) for c in callers):
        message = f"is mirror, and no caller may use {', '.join(SAFE)}: nothing is copied"
        yield _advice("strategy", message, "set it to canary or blueGreen")
