"""Ways in which a new revision can be bad, as changes of a spec: its template, and the policy it is judged under."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEADLINE = {"progressDeadline": "20s"}
ASIDE = "/checkout"  # the path of a part of the requests, for what is bad on one route only


@dataclass(frozen=True)
class BadWay:
    """`template` is the change, `policy` is applied before it; `ends` is the phase that must come of it.

    `aside` is the share of requests to the other path.
    """

    template: Mapping[str, Any]
    ends: str = "RolledBack"
    policy: Mapping[str, Any] = field(default_factory=dict)
    aside: float = 0.3


def _never_ready(**template: Any) -> BadWay:
    return BadWay(template, "Failed", {"rollout": DEADLINE})


BAD: Mapping[str, BadWay] = {
    "30 % errors": BadWay({"env": {"ERRORS": "0.3"}}),
    "3 % errors": BadWay({"env": {"ERRORS": "0.03"}}),
    "30 % errors behind three retries": BadWay(
        {"env": {"ERRORS": "0.3", "ERROR_CODE": "503"}},
        policy={"traffic": {"retries": {"attempts": 3, "perTryTimeout": "1s", "retryOn": ["gateway-error"]}}},
    ),
    "slow for 5 % of requests": BadWay(
        {"env": {"SLOW": "0.05"}}, policy={"rollout": {"analysis": {"latency": {"slowerThan": "250ms"}}}}
    ),
    "crash at start": _never_ready(env={"CRASH": "start"}),
    "never ready": _never_ready(env={"READY": "never"}),
    "ready, then crash after 200 requests": BadWay({"env": {"CRASH": "200"}}),
    "errors on one route, 30 % of requests": BadWay({"env": {"ERRORS": "1", "ONLY": ASIDE}}),
    "errors on one route, 1 % of requests": BadWay(
        {"env": {"ERRORS": "1", "ONLY": ASIDE}},
        "Paused",
        {"rollout": {"analysis": {"stepTimeout": "60s"}}},
        aside=0.01,
    ),
    "hanging answers": BadWay({"env": {"HANGS": "0.3"}}, policy={"traffic": {"timeout": "2s"}}),
    "connection resets": BadWay({"env": {"RESETS": "0.3"}}),
    "wrong port": _never_ready(env={"LISTEN": "9999"}),
    "an image that can't be pulled": _never_ready(image="seatrial/none:0"),
}
