"""What a value must be beyond its type, each rule once: as CEL for the API server, as Python where there is no cluster.

`seatrial.api.crd` puts the CEL into the schema of the rule's model, `seatrial.api.accept` asks the Python; a test on a
real API server sees to it that the two agree. What CEL can't say (a regular expression's syntax, what `podTemplate` may
hold) is in `seatrial.api.accept` alone.
"""

import re

from seatrial.api.base import seconds
from seatrial.api.meshservice import (
    Autoscaling,
    Callee,
    Caller,
    CircuitBreaker,
    EnvSource,
    MeshService,
    MeshServiceSpec,
    PathMatch,
    Retries,
)
from seatrial.api.names import MAX_SERVICE_NAME
from seatrial.api.rollout_rules import ROLLOUT_RULES
from seatrial.api.rule import Rule, given

ENV_NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_.-]*$"
SERVICE_NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"


def _numbers_once(spec: MeshServiceSpec) -> bool:
    numbers = [p.port for p in spec.ports]
    return len(numbers) == len(set(numbers))


def _unusable_variables(spec: MeshServiceSpec) -> list[str]:
    return [name for name in spec.env if not re.fullmatch(ENV_NAME_PATTERN, name)]


def _usable_name(service: MeshService) -> bool:
    name = service.metadata.name
    return (
        len(name) <= MAX_SERVICE_NAME
        and re.fullmatch(SERVICE_NAME_PATTERN, name) is not None
        and not name.endswith("-expose")
    )


def _calls_itself(service: MeshService) -> bool:
    own = service.metadata.name
    security = service.spec.security
    others = [(c.service, c.namespace) for c in security.calls] + [(c.service, c.namespace) for c in security.callers]
    return (own, None) in others


_SELF = (
    "has(self.spec.security.{0}) && self.spec.security.{0}.exists(c, has(c.service) && !has(c.namespace)"
    " && c.service == self.metadata.name)"
)

RULES: tuple[Rule, ...] = (
    *ROLLOUT_RULES,
    Rule(
        model=MeshService,
        field="metadata.name",
        cel=f"self.metadata.name.size() <= {MAX_SERVICE_NAME} && self.metadata.name.matches('{SERVICE_NAME_PATTERN}')"
        " && !self.metadata.name.endsWith('-expose')",
        holds=_usable_name,
        message="{} can't name a MeshService",
        remedy=f"take at most {MAX_SERVICE_NAME} lower-case letters, digits and dashes, a letter first, not ending in"
        " -expose: its Deployments, Jobs and VirtualServices are named after it",
        shown_cel="self.metadata.name",
        shown=lambda s: s.metadata.name,
    ),
    Rule(
        model=MeshService,
        field="spec.security",
        cel=f"!has(self.spec.security) || !(({_SELF.format('calls')}) || ({_SELF.format('callers')}))",
        holds=lambda s: not _calls_itself(s),
        message="{} calls itself",
        remedy="take it out of its own calls and callers: a revision must not be judged by its own requests",
        shown_cel="self.metadata.name",
        shown=lambda s: s.metadata.name,
    ),
    Rule(
        model=MeshServiceSpec,
        field="env",
        cel=f"!has(self.env) || self.env.all(name, name.matches('{ENV_NAME_PATTERN}'))",
        holds=lambda s: not _unusable_variables(s),
        message="{} can't name variables",
        remedy="take letters, digits, `_`, `-` and `.`, and no digit first",
        shown_cel=f"self.env.filter(name, !name.matches('{ENV_NAME_PATTERN}'))",
        shown=_unusable_variables,
    ),
    Rule(
        model=MeshServiceSpec,
        field="port",
        cel="!has(self.port) || !has(self.ports) || self.ports.size() == 0",
        holds=lambda s: s.port is None or not s.ports,
        message="port is {} and ports is given too",
        remedy="keep one: port is short for one http port",
        shown_cel="self.port",
        shown=lambda s: s.port,
    ),
    Rule(
        model=MeshServiceSpec,
        field="ports",
        cel="!has(self.ports) || self.ports.all(p, self.ports.exists_one(q, q.port == p.port))",
        holds=_numbers_once,
        message="ports are {}: a number is there twice",
        remedy="give each port its own number; targetPort may repeat",
        shown_cel="self.ports.map(p, p.port)",
        shown=lambda s: [p.port for p in s.ports],
    ),
    Rule(
        model=Autoscaling,
        field="min",
        cel="self.min <= self.max",
        holds=lambda a: a.min <= a.max,
        message="min is {} and more than max",
        remedy="set max to min or more",
        shown_cel="self.min",
        shown=lambda a: a.min,
    ),
    Rule(
        model=EnvSource,
        field="",
        cel="has(self.secretRef) != has(self.configMapRef)",
        holds=lambda e: given(e.secret_ref, e.config_map_ref) == 1,
        message="must name a Secret or a ConfigMap",
        remedy="give one of secretRef and configMapRef",
    ),
    Rule(
        model=Caller,
        field="",
        cel="has(self.service) != has(self.ingress)",
        holds=lambda c: given(c.service, c.ingress) == 1,
        message="must name a service or the ingress gateway",
        remedy="give one of `service: NAME` and `ingress: {}`",
    ),
    Rule(
        model=Caller,
        field="namespace",
        cel="!has(self.namespace) || has(self.service)",
        holds=lambda c: c.namespace is None or c.service is not None,
        message="namespace {} is that of no service",
        remedy="give the service too, or take the namespace out",
        shown_cel="self.namespace",
        shown=lambda c: c.namespace,
    ),
    Rule(
        model=Callee,
        field="",
        cel="has(self.service) != has(self.host)",
        holds=lambda c: given(c.service, c.host) == 1,
        message="must name a service or an outside host",
        remedy="give one of `service: NAME` and `host: NAME`",
    ),
    Rule(
        model=Callee,
        field="namespace",
        cel="!has(self.namespace) || has(self.service)",
        holds=lambda c: c.namespace is None or c.service is not None,
        message="namespace {} is that of no service",
        remedy="give the service too, or take the namespace out",
        shown_cel="self.namespace",
        shown=lambda c: c.namespace,
    ),
    Rule(
        model=Callee,
        field="port",
        cel="has(self.host) || (!has(self.port) && (!has(self.protocol) || self.protocol == 'https'))",
        holds=lambda c: c.host is not None or (c.port is None and c.protocol == "https"),
        message="port and protocol are those of an outside host",
        remedy="take them out: a service says its own ports",
    ),
    Rule(
        model=Callee,
        field="port",
        cel="!has(self.host) || !has(self.protocol) || self.protocol != 'tcp' || has(self.port)",
        holds=lambda c: c.host is None or c.protocol != "tcp" or c.port is not None,
        message="{} is called by tcp on no port",
        remedy="give the port",
        shown_cel="self.host",
        shown=lambda c: c.host,
    ),
    Rule(
        model=Retries,
        field="perTryTimeout",
        cel="!has(self.perTryTimeout) || duration(self.perTryTimeout) > duration('0s')",
        holds=lambda r: r.per_try_timeout is None or seconds(r.per_try_timeout) > 0,
        message="perTryTimeout is {}, which leaves no time for a try",
        remedy="give at least 1ms, or take it out for the route's timeout",
        shown_cel="self.perTryTimeout",
        shown=lambda r: r.per_try_timeout,
    ),
    Rule(
        model=CircuitBreaker,
        field="ejectFor",
        cel="duration(self.interval) > duration('0s') && duration(self.ejectFor) > duration('0s')",
        holds=lambda b: seconds(b.interval) > 0 and seconds(b.eject_for) > 0,
        message="interval and ejectFor are {}: neither can be 0",
        remedy="give at least 1ms; without circuitBreaker nothing is ejected",
        shown_cel="[self.interval, self.ejectFor]",
        shown=lambda b: [b.interval, b.eject_for],
    ),
    Rule(
        model=PathMatch,
        field="",
        cel="[has(self.exact), has(self.prefix), has(self.regex)].filter(given, given).size() == 1",
        holds=lambda p: given(p.exact, p.prefix, p.regex) == 1,
        message="must say how the path looks",
        remedy="give one of exact, prefix and regex",
    ),
)


def rules_of(model: str) -> tuple[Rule, ...]:
    """The rules of the model of that name, in the order they are told in."""
    return tuple(r for r in RULES if r.model.__name__ == model)
