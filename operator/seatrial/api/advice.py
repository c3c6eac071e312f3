"""What is legal and hardly meant: told as advice, never refused.

Numbers are judged as written: a default that the API server fills in is nobody's wish, and never draws advice.
"""

from collections.abc import Iterator

from seatrial.api.base import seconds
from seatrial.api.meshservice import (
    IDEMPOTENT,
    SURELY_NEVER_ARRIVED,
    MeshServiceSpec,
    Retries,
    Route,
    RouteMatch,
)
from seatrial.api.problems import Level, Problem
from seatrial.api.rollout_advice import rollout_advice


def advice(spec: MeshServiceSpec) -> list[Problem]:
    """What a careful reader would ask about."""
    looks = (_fit, _repeats, _routes, _edge, _capacity, rollout_advice, _image)
    return [found for look in looks for found in look(spec)]


def _advice(where: str, message: str, remedy: str, value: object = None) -> Problem:
    return Problem(where, message, remedy, value=value, level=Level.ADVICE)


def _fit(spec: MeshServiceSpec) -> Iterator[Problem]:
    """Retries that the timeout cuts off, and timeouts that a pod's end cuts off."""
    traffic = spec.traffic
    policies = {"spec.traffic": (traffic.timeout, traffic.retries)}
    for i, route in enumerate(traffic.routes):
        if route.timeout is not None or route.retries is not None:
            policies[f"spec.traffic.routes[{i}]"] = (route.timeout or traffic.timeout, route.retries or traffic.retries)
    for where, (timeout, retries) in policies.items():
        yield from _retries_fit(where, timeout, retries)
    longest_where, longest = max(((w, t) for w, (t, _) in policies.items()), key=lambda p: seconds(p[1]))
    if seconds(longest) > seconds(spec.shutdown.grace):
        yield _advice(
            f"{longest_where}.timeout",
            f"a request may take {longest}, and a pod that ends waits {spec.shutdown.grace}: longer ones are cut",
            f"set spec.shutdown.grace to {longest} or more",
            longest,
        )


def _retries_fit(where: str, timeout: str, retries: Retries) -> Iterator[Problem]:
    whole, one = seconds(timeout), retries.per_try_timeout
    if not retries.attempts or one is None or not whole:
        return
    tries = retries.attempts + 1
    needed = tries * seconds(one)
    if needed <= whole:
        return
    begun = -(-whole // seconds(one))
    yield _advice(
        f"{where}.retries",
        f"{tries} tries of {one} need {needed:g}s, and timeout is {timeout}: slow calls get {begun:g} of them",
        f"raise timeout to {needed:g}s, or lower perTryTimeout to {whole / tries:.3g}s",
        retries.dump(),
    )


def _repeats(spec: MeshServiceSpec) -> Iterator[Problem]:
    """Retries that don't act because the method may not be repeated."""
    for i, route in enumerate(spec.traffic.routes):
        method, retries = route.match.method, route.retries
        if retries is None or not retries.attempts or route.idempotent or method is None or method in IDEMPOTENT:
            continue
        if muted := [on for on in retries.on if on not in SURELY_NEVER_ARRIVED]:
            yield _advice(
                f"spec.traffic.routes[{i}].retries",
                f"{method} isn't retried on {', '.join(muted)}: it may have arrived",
                "set `idempotent: true` if repeating it is safe (it takes an idempotency key)",
                muted,
            )


def _routes(spec: MeshServiceSpec) -> Iterator[Problem]:
    """Routes that are never reached."""
    before: list[tuple[int, Route]] = []
    for i, route in enumerate(spec.traffic.routes):
        for j, earlier in before:
            if earlier.match in (RouteMatch(), route.match):
                yield _advice(
                    f"spec.traffic.routes[{i}]",
                    f"is never reached: routes[{j}] matches all that it matches, and is before it",
                    "put it first, or take it out",
                )
                break
        before.append((i, route))


def _edge(spec: MeshServiceSpec) -> Iterator[Problem]:
    """Routes by expression that the ingress gateway can't find behind a prefix that becomes another one."""
    moved = [e for e in spec.expose if e.rewrite not in {None, "/", e.prefix}]
    for i, route in enumerate(spec.traffic.routes):
        if moved and route.match.path is not None and route.match.path.regex is not None:
            yield _advice(
                f"spec.traffic.routes[{i}].match.path.regex",
                f"isn't found behind {moved[0].place}, which is rewritten to {moved[0].rewrite}",
                "match by exact or prefix, or rewrite to /",
                route.match.path.regex,
            )


def _capacity(spec: MeshServiceSpec) -> Iterator[Problem]:
    default = MeshServiceSpec.model_fields["replicas"].default
    if spec.autoscaling is not None and spec.replicas != default:
        yield _advice(
            "spec.replicas",
            f"is {spec.replicas} and does nothing: autoscaling decides",
            "take it out, or take autoscaling out",
            spec.replicas,
        )
    if spec.autoscaling is not None and "cpu" not in spec.resources.requests:
        yield _advice(
            "spec.autoscaling",
            "has nothing to measure by: the app container requests no cpu",
            "give spec.resources.requests.cpu",
        )
    least = spec.autoscaling.min if spec.autoscaling else spec.replicas
    breaker = spec.traffic.circuit_breaker
    if breaker is not None and breaker.max_ejection_percent and least == 1:
        yield _advice(
            "spec.traffic.circuitBreaker",
            "never ejects a pod that is alone in its revision",
            "run 2 replicas or more, or say maxEjectionPercent: 0 and keep its limits",
        )


def _image(spec: MeshServiceSpec) -> Iterator[Problem]:
    name, _, digest = spec.image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not digest and tag in {"", "latest"}:
        yield _advice(
            "spec.image",
            f"{spec.image} names whatever was pushed last: a new push changes nothing here, and pods may differ",
            "name a version or a digest",
            spec.image,
        )
