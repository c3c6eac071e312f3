"""The upper bounds of the proxies' histograms: a latency can be judged at these values and at no others.

Proxies get them when they start: sidecars from `seatrial.render.pods`, the ingress gateway from `mesh/istio.yaml`.
"""

LATENCY_BUCKETS_MS: tuple[float, ...] = (
    *(1, 2, 3, 5, 7.5, 10, 15, 20, 25, 30, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750),
    *(1000, 1500, 2000, 2500, 3000, 5000, 7500, 10000, 15000, 30000, 60000),
)


def nearest(milliseconds: float) -> float:
    """The boundary next to a latency; of two as near, the lower one.

    >>> nearest(240), nearest(275), nearest(250)
    (250, 250, 250)
    """
    return min(LATENCY_BUCKETS_MS, key=lambda bound: (abs(bound - milliseconds), bound))
