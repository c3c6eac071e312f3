"""Load on the shop: journeys of its users, open arrival, and records that can be asked afterwards.

For tests: `open_load`, what it records, and the figures that judge it. Nothing here imports gevent or Locust.
"""

from loadtests.arrivals import Stage
from loadtests.background import LoadError, OpenLoad, open_load
from loadtests.bounds import ALPHA, Bound, binomial_bound, percentile
from loadtests.plan import Ask, Plan
from loadtests.record import Recording, Request, Split, merge, read
from loadtests.served_by import Hop
from loadtests.verdict import Health, Judgement, Limits, Thresholds, Verdict, health, judge

__all__ = [
    "ALPHA",
    "Ask",
    "Bound",
    "Health",
    "Hop",
    "Judgement",
    "Limits",
    "LoadError",
    "OpenLoad",
    "Plan",
    "Recording",
    "Request",
    "Split",
    "Stage",
    "Thresholds",
    "Verdict",
    "binomial_bound",
    "health",
    "judge",
    "merge",
    "open_load",
    "percentile",
    "read",
]
