"""MeshServices that must be refused, each with the field at fault: for the offline check and for the API server.

So the two can't come to differ: what one of them refuses and the other takes fails a test.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


def a_manifest(name: str = "orders", **spec: Any) -> Json:
    """A MeshService that is fine, with the spec's fields as given; one that is given as None is left out."""
    fields = {"image": "seatrial/orders:dev", "port": 8080} | deepcopy(spec)
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "MeshService",
        "metadata": {"name": name},
        "spec": {name: value for name, value in fields.items() if value is not None},
    }


@dataclass(frozen=True)
class Bad:
    """A manifest to refuse. `field` is where the fault is, `says` a part of what must be said about it."""

    why: str
    manifest: Json
    field: str
    says: str

    def __str__(self) -> str:
        return self.why


def _calls(*calls: Json) -> Json:
    return a_manifest(security={"calls": list(calls)})


def _callers(*callers: Json) -> Json:
    return a_manifest(security={"callers": list(callers)})


def _match(**path: str) -> Json:
    return a_manifest(traffic={"routes": [{"match": {"path": path}}]})


def _rollout(**rollout: Any) -> Json:
    return a_manifest(rollout=rollout)


def _audience(**match: Json) -> Json:
    return _rollout(strategy="abTest", match=[match])


def _port(name: str, number: int) -> Json:
    return {"name": name, "port": number, "targetPort": 8080}


# What CEL refuses at admission.
RULES = (
    Bad("a name too long", a_manifest("o" * 51), "metadata.name", "at most 50"),
    Bad("a name that begins with a digit", a_manifest("1st"), "metadata.name", "1st can't name a MeshService"),
    Bad("the name of another's delegate", a_manifest("orders-expose"), "metadata.name", "-expose"),
    Bad("a service that calls itself", _calls({"service": "orders"}), "spec.security", "orders calls itself"),
    Bad("a service that lets itself in", _callers({"service": "orders"}), "spec.security", "orders calls itself"),
    Bad("a variable with a space", a_manifest(env={"A B": "x", "OK": "y"}), "spec.env", "A B"),
    Bad("port beside ports", a_manifest(ports=[_port("a", 1)]), "spec.port", "keep one"),
    Bad(
        "a port number twice",
        a_manifest(port=None, ports=[_port("a", 80), _port("b", 80)]),
        "spec.ports",
        "ports are [80, 80]",
    ),
    Bad("steps that fall", a_manifest(rollout={"steps": [25, 5]}), "spec.rollout.steps", "steps are [25, 5]"),
    Bad("a step twice", a_manifest(rollout={"steps": [5, 5]}), "spec.rollout.steps", "steps are [5, 5]"),
    Bad("no steps and nothing that chooses them", _rollout(steps=[]), "spec.rollout.steps", "`analysis: {}`"),
    Bad("an A/B test for nobody", _rollout(strategy="abTest"), "spec.rollout.match", "nobody gets the new revision"),
    Bad("an audience of nothing", _audience(), "spec.rollout.match[0]", "which requests are meant"),
    Bad(
        "a header that looks two ways",
        _audience(headers={"x-a": {"exact": "a", "prefix": "b"}}),
        "spec.rollout.match[0].headers[x-a]",
        "one of exact, prefix and regex",
    ),
    Bad(
        "affinity without a draw",
        a_manifest(rollout={"strategy": "blueGreen", "affinity": {}}, expose=[{"host": "a"}]),
        "spec.rollout.affinity",
        "strategy is blueGreen",
    ),
    Bad("affinity inside the mesh", _rollout(affinity={}), "spec.rollout.affinity", "give expose"),
    Bad(
        "affinity for less than a second",
        a_manifest(rollout={"affinity": {"for": "500ms"}}, expose=[{"host": "a"}]),
        "spec.rollout.affinity.for",
        "for is 500ms",
    ),
    Bad(
        "copies of what has no requests",
        a_manifest(
            port=None, ports=[_port("a", 1) | {"appProtocol": "tcp"}], rollout={"strategy": "mirror", "analysis": {}}
        ),
        "spec.rollout.strategy",
        "strategy is mirror",
    ),
    Bad(
        "queries to nowhere",
        _rollout(analysis={"source": "prometheus"}),
        "spec.rollout.analysis.prometheus",
        "source is prometheus",
    ),
    Bad(
        "a latency between two boundaries",
        _rollout(analysis={"latency": {"slowerThan": "240ms"}}),
        "spec.rollout.analysis.latency.slowerThan",
        "the nearest is 250ms",
    ),
    Bad("min above max", a_manifest(autoscaling={"min": 3, "max": 2}), "spec.autoscaling.min", "min is 3"),
    Bad("variables from nowhere", a_manifest(envFrom=[{"prefix": "A_"}]), "spec.envFrom[0]", "give one of secretRef"),
    Bad(
        "variables from two sources",
        a_manifest(envFrom=[{"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}]),
        "spec.envFrom[0]",
        "give one of secretRef",
    ),
    Bad("a caller without a name", _callers({"methods": ["GET"]}), "spec.security.callers[0]", "ingress"),
    Bad("a caller with two names", _callers({"service": "a", "ingress": {}}), "spec.security.callers[0]", "ingress"),
    Bad(
        "the ingress gateway of a namespace",
        _callers({"ingress": {}, "namespace": "bi"}),
        "spec.security.callers[0].namespace",
        "namespace bi is that of no service",
    ),
    Bad("a call to nobody", _calls({}), "spec.security.calls[0]", "an outside host"),
    Bad("a call to two", _calls({"service": "a", "host": "b.c"}), "spec.security.calls[0]", "an outside host"),
    Bad(
        "an outside host in a namespace",
        _calls({"host": "b.c", "namespace": "bi"}),
        "spec.security.calls[0].namespace",
        "namespace bi is that of no service",
    ),
    Bad("a port for a service", _calls({"service": "a", "port": 80}), "spec.security.calls[0].port", "take them out"),
    Bad("tcp to no port", _calls({"host": "b.c", "protocol": "tcp"}), "spec.security.calls[0].port", "give the port"),
    Bad("a path of two kinds", _match(exact="/a", prefix="/b"), "spec.traffic.routes[0].match.path", "give one of"),
    Bad("a path of no kind", _match(), "spec.traffic.routes[0].match.path", "give one of"),
    Bad(
        "a try without time",
        a_manifest(traffic={"retries": {"perTryTimeout": "0s"}}),
        "spec.traffic.retries.perTryTimeout",
        "perTryTimeout is 0s",
    ),
    Bad(
        "an ejection without time",
        a_manifest(traffic={"circuitBreaker": {"ejectFor": "0ms"}}),
        "spec.traffic.circuitBreaker.ejectFor",
        "neither can be 0",
    ),
)

# What the types of the schema refuse there.
SCHEMA = (
    Bad("no image", a_manifest(image=None), "spec.image", ""),
    Bad("an unknown field", a_manifest(traffic={"timeuot": "5s"}), "spec.traffic.timeuot", ""),
    Bad("a field in snake case", a_manifest(env_from=[]), "spec.env_from", ""),
    Bad("retries on a bare on", a_manifest(traffic={"retries": {"true": []}}), "spec.traffic.retries.true", ""),
    Bad("text for a number", a_manifest(replicas="2"), "spec.replicas", '"2"'),
    Bad("a number for text", a_manifest(env={"PORT": 8080}), "spec.env.PORT", "8080"),
    Bad(
        "a fraction for a quantity", a_manifest(resources={"limits": {"cpu": 0.5}}), "spec.resources.limits.cpu", "0.5"
    ),
    Bad(
        "a quantity of nothing known",
        a_manifest(resources={"limits": {"cpu": "1x"}}),
        "spec.resources.limits.cpu",
        "1x",
    ),
    Bad("a duration without a unit", a_manifest(traffic={"timeout": "5"}), "spec.traffic.timeout", '"5"'),
    Bad("a path without a slash", a_manifest(probes={"ready": "readyz"}), "spec.probes.ready", '"readyz"'),
    Bad("a host with a scheme", a_manifest(expose=[{"host": "http://a"}]), "spec.expose[0].host", '"http://a"'),
    Bad("a step of 0", a_manifest(rollout={"steps": [0, 5]}), "spec.rollout.steps[0]", "0"),
    Bad("a step of 100", a_manifest(rollout={"steps": [5, 100]}), "spec.rollout.steps[1]", "100"),
    Bad("a port out of range", a_manifest(port=65536), "spec.port", "65536"),
    Bad("a strategy that doesn't exist", a_manifest(rollout={"strategy": "bluegreen"}), "spec.rollout.strategy", ""),
    Bad(
        "retries on nothing known",
        a_manifest(traffic={"retries": {"retryOn": ["5x"]}}),
        "spec.traffic.retries.retryOn[0]",
        "",
    ),
    Bad("too many retries", a_manifest(traffic={"retries": {"attempts": 11}}), "spec.traffic.retries.attempts", "11"),
    Bad("a list for a map", a_manifest(probes=["/livez"]), "spec.probes", ""),
    Bad("a map for a list", a_manifest(expose={"host": "a"}), "spec.expose", ""),
    Bad("too many steps", a_manifest(rollout={"steps": list(range(1, 22))}), "spec.rollout.steps", ""),
    Bad("an empty command of a migration", a_manifest(migrate={"command": []}), "spec.migrate.command", ""),
    Bad("a port's name twice", a_manifest(port=None, ports=[_port("a", 1), _port("a", 2)]), "spec.ports[1]", "a"),
    Bad("a place exposed twice", a_manifest(expose=[{"host": "a"}, {"host": "a"}]), "spec.expose[1]", "a"),
    Bad(
        "a method twice",
        _callers({"service": "a", "methods": ["GET", "GET"]}),
        "spec.security.callers[0].methods[1]",
        "GET",
    ),
)

# What gets in, and only the offline check and the operator see.
OPERATOR = (
    Bad(
        "a service that calls itself by its namespace",
        {**_calls({"service": "orders", "namespace": "shop"}), "metadata": {"name": "orders", "namespace": "shop"}},
        "spec.security.calls[0]",
        "calls itself",
    ),
    Bad("a broken expression", _match(regex="(a"), "spec.traffic.routes[0].match.path.regex", "(a"),
    Bad(
        "a look-ahead",
        _match(regex="/(?!a)"),
        "spec.traffic.routes[0].match.path.regex",
        "look-around",
    ),
    Bad(
        "a header that is none",
        a_manifest(traffic={"routes": [{"match": {"headers": {"a b": "c"}}}]}),
        "spec.traffic.routes[0].match.headers",
        "a b",
    ),
    Bad(
        "a header that Istio passes over",
        a_manifest(traffic={"routes": [{"match": {"headers": {"Method": "c"}}}]}),
        "spec.traffic.routes[0].match.headers",
        "Istio takes no header that is called Method",
    ),
    Bad(
        "a cookie sought in its header",
        _audience(headers={"Cookie": {"regex": ".*a=b.*"}}),
        "spec.rollout.match[0].headers.Cookie",
        "spec.rollout.match[0].cookies",
    ),
    Bad(
        "a broken expression for a header",
        _audience(headers={"xa": {"regex": "(a"}}),
        "spec.rollout.match[0].headers.xa.regex",
        "(a",
    ),
    Bad("a cookie with a bad name", _audience(cookies={"a b": "c"}), "spec.rollout.match[0].cookies", "a b"),
    Bad("a cookie with two values", _audience(cookies={"a": "b; c"}), "spec.rollout.match[0].cookies.a", "take out"),
    Bad(
        "more routes than an object holds",
        a_manifest(
            expose=[{"host": "a"}],
            traffic={"routes": [{"match": {"path": {"prefix": f"/{i}"}}} for i in range(64)]},
            rollout={"affinity": {}, "steps": list(range(1, 21))},
        ),
        "spec.traffic.routes",
        "2860 routes on the gateway",
    ),
    Bad("a variable of ours", a_manifest(env={"POD_NAME": "x"}), "spec.env.POD_NAME", "Seatrial"),
    Bad(
        "a label of ours",
        a_manifest(podTemplate={"metadata": {"labels": {"seatrial.dev/revision": "9"}}}),
        "spec.podTemplate.metadata.labels[seatrial.dev/revision]",
        "own",
    ),
    Bad(
        "another identity",
        a_manifest(podTemplate={"spec": {"serviceAccountName": "admin"}}),
        "spec.podTemplate.spec.serviceAccountName",
        "account",
    ),
    Bad(
        "a finalizer for pods",
        a_manifest(podTemplate={"metadata": {"finalizers": ["a.b/c"]}}),
        "spec.podTemplate.metadata.finalizers",
        "labels and annotations",
    ),
    Bad(
        "a container without a name in the patch",
        a_manifest(podTemplate={"spec": {"containers": [{"image": "b"}]}}),
        "spec.podTemplate.spec.containers[0].name",
        "is missing",
    ),
    Bad(
        "resources that are no map in the patch",
        a_manifest(podTemplate={"spec": {"containers": [{"name": "app", "resources": [1]}]}}),
        "spec.podTemplate.spec.containers[0].resources",
        "isn't a map",
    ),
    Bad(
        "a label that is no text",
        a_manifest(podTemplate={"metadata": {"labels": {"tier": 1}}}),
        "spec.podTemplate.metadata.labels[tier]",
        "put it in quotes",
    ),
    Bad(
        "a probe by http of a service without it",
        a_manifest(port=None, ports=[_port("a", 1) | {"appProtocol": "tcp"}], probes={"ready": "/readyz"}),
        "spec.probes.ready",
        "http port",
    ),
    Bad(
        "a place exposed twice in two spellings",
        a_manifest(expose=[{"host": "a", "prefix": "/b"}, {"host": "a", "prefix": "/b/"}]),
        "spec.expose[1]",
        "a/b is there twice",
    ),
    Bad(
        "exposed without a port",
        a_manifest(port=None, expose=[{"host": "a"}]),
        "spec.expose",
        "http port",
    ),
)
