"""How many pods a revision needs before it may have a share of the traffic, and what share its pods can have."""

from fractions import Fraction

from seatrial.api.meshservice import MeshServiceSpec


def full(spec: MeshServiceSpec, stable_wanted: int) -> int:
    """Replicas that carry all of the traffic: the spec's, or what the autoscaler gave the stable revision."""
    if spec.autoscaling is None:
        return spec.replicas
    return min(max(spec.autoscaling.min, stable_wanted), spec.autoscaling.max)


def is_asked_for(spec: MeshServiceSpec) -> bool:
    """Whether there shall be any pods."""
    return spec.autoscaling is not None or spec.replicas > 0


def needed(full_replicas: int, weight: int) -> int:
    """Replicas for `weight` percent of the traffic, never less than one where the service has any.

    >>> needed(3, 50)
    2
    """
    return min(full_replicas, max(1, -(-full_replicas * weight // 100)))


def done(weight: int, ready: int, pods: int) -> Fraction:
    """Percent of all work that the ready ones do of the `pods` that shall do `weight` together."""
    return Fraction(weight * min(ready, pods), pods) if pods else Fraction(0)
