"""What the proxies are asked about a service while one of its revisions is on trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from seatrial.api.rollouts import Prometheus
from seatrial.evidence.ask import Pod

INGRESS = "ingress"

Protocol = Literal["http", "grpc", "tcp"]


@dataclass(frozen=True)
class Question:
    """Which figures, and of whom.

    `host` is the service's fully qualified name, `callers` their pods by calling service (`namespace/name`, or
    `ingress`), `revisions` stable and canary, `stable_pods` the pods of the stable one. A request is slow when it takes
    longer than `slower_than` milliseconds: a boundary of `seatrial.api.buckets`, or None where latency isn't judged.
    `protocol` is tcp where all ports are, grpc where one is. `prometheus` is where that source asks, and what.
    `workers` are the pods by revision of a service that nobody calls: what they ask of others is all there is to count.
    """

    host: str
    callers: Mapping[str, Sequence[Pod]]
    revisions: tuple[int, ...]
    stable_pods: Sequence[Pod] = ()
    slower_than: float | None = None
    protocol: Protocol = "http"
    prometheus: Prometheus | None = None
    workers: Mapping[int, Sequence[Pod]] = field(default_factory=dict)

    @property
    def others(self) -> dict[str, tuple[str, Pod]]:
        """By proxy: the calling service and its pod, each proxy once. A service is no evidence for itself."""
        name, namespace = self.host.split(".")[:2]
        found: dict[str, tuple[str, Pod]] = {}
        for service, pods in self.callers.items():
            if service != f"{namespace}/{name}":
                for pod in pods:
                    found.setdefault(pod.proxy, (service, pod))
        return found

    @property
    def working(self) -> dict[str, Pod]:
        """The workers by their proxy."""
        return {pod.proxy: pod for pods in self.workers.values() for pod in pods}


def no_evidence(question: Question) -> str:
    """Why the proxies can't tell anything, in one sentence; empty where there is a caller to ask."""
    if question.others or question.workers:
        return ""
    named = sorted(question.callers)
    if not named:
        return "no caller is known: name who calls in security.callers, or expose the service at the ingress gateway"
    return f"no caller that can be asked has a pod with a running proxy ({', '.join(named)})"
