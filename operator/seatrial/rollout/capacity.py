"""How many pods a revision needs before it may have a share of the traffic."""

from seatrial.api.meshservice import MeshServiceSpec


def full(spec: MeshServiceSpec, stable_wanted: int) -> int:
    """Replicas that carry all of the traffic: the spec's, or what the autoscaler gave the stable revision."""
    if spec.autoscaling is None:
        return spec.replicas
    return min(max(spec.autoscaling.min, stable_wanted), spec.autoscaling.max)


def needed(full_replicas: int, weight: int) -> int:
    """Replicas for `weight` percent of the traffic, never less than one where the service has any.

    >>> needed(3, 50)
    2
    """
    return min(full_replicas, max(1, -(-full_replicas * weight // 100)))
