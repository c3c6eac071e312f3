"""Rollouts as the API server holds them, through its own models: what the command line reads in tests."""

from typing import Any

from seatrial.api.conditions import Condition
from seatrial.api.meshservice import MeshServiceSpec, MeshServiceStatus, Weight
from seatrial.api.names import LABEL_SERVICE
from seatrial.api.revision import (
    Attempt,
    Entry,
    Evidence,
    Phase,
    Revision,
    RevisionSpec,
    RevisionStatus,
    Share,
    SloEvidence,
    template_of,
)

Object = dict[str, Any]
IMAGE = "seatrial/orders:{}"
WORSE = (
    "canary 37 of 512 requests failed (7.2 %), stable 3 of 9,731 (0.03 %), worse by at least 4.9 points at 95 %, "
    "rolled back after 6.4 s at 5 %"
)


def at(seconds: float) -> str:
    """A time stamp so many seconds after the tests' own ten o'clock."""
    whole = int(seconds)
    return f"2026-11-21T10:{whole // 60:02d}:{whole % 60:02d}.{round((seconds - whole) * 1e6):06d}Z"


def spec(number: int = 1, **fields: Any) -> Object:
    """Spec of a MeshService whose template is that of revision `number`, as the API server completes it."""
    return MeshServiceSpec.parse({"image": IMAGE.format(number), "port": 8080, "replicas": 2} | fields).dump()


def service(  # one argument a field that some test changes
    *,
    template: int = 1,
    phase: str = "Ready",
    stable: int | None = None,
    canary: int | None = None,
    target: int | None = None,
    weight: tuple[int, int] = (0, 0),
    generation: int = 1,
    observed: int | None = None,
    conditions: tuple[Condition, ...] = (),
    annotations: dict[str, str] | None = None,
    **fields: Any,
) -> Object:
    """The MeshService orders in shop."""
    status = MeshServiceStatus(
        observed_generation=generation if observed is None else observed,
        phase=phase,
        stable_revision=stable,
        canary_revision=canary,
        target_revision=target if target is not None else canary or stable,
        weight=Weight(wanted=weight[0], verified=weight[1]),
        replicas=4,
        ready_replicas=4,
        url="http://shop.localhost/",
        conditions=list(conditions),
    )
    metadata = {"name": "orders", "namespace": "shop", "generation": generation, "annotations": annotations or {}}
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "MeshService",
        "metadata": metadata,
        "spec": spec(template, **fields),
        "status": status.dump(),
    }


def revision(number: int, *attempts: Attempt, role: str = "Kept", version: str = "1", **status: Any) -> Object:
    """The Revision orders-NUMBER."""
    newest = attempts[-1] if attempts else None
    told = RevisionStatus.model_validate(
        {
            "phase": newest.phase if newest else None,
            "role": role,
            "weight": newest.weight if newest else None,
            "replicas": 2,
            "readyReplicas": 2,
            "message": newest.history[-1].reason if newest and newest.history else "",
            "attempts": list(attempts),
        }
        | status
    )
    template = template_of(MeshServiceSpec.parse(spec(number)))
    frozen = RevisionSpec(service="orders", number=number, hash=f"{number:012x}", template=template)
    made = Revision(
        metadata={"name": f"orders-{number}", "namespace": "shop"},
        spec=frozen,
        status=told,
    ).dump()
    made["metadata"] = {
        "name": f"orders-{number}",
        "namespace": "shop",
        "resourceVersion": version,
        "labels": {LABEL_SERVICE: "orders"},
        "annotations": {},
    }
    return made


def entry(seconds: float, phase: Phase, weight: int, reason: str) -> Entry:
    """A line of the log."""
    return Entry(at=at(seconds), phase=phase, weight=weight, reason=reason)


def succeeded(number: int, start: float = 0, *, revision: int, **fields: Any) -> Attempt:
    """An attempt that made its revision stable."""
    decision = f"revision {revision} is stable"
    return Attempt(
        number=number,
        phase=Phase.SUCCEEDED,
        started_at=at(start),
        ended_at=at(start + 10),
        weight=Weight(wanted=100, verified=100),
        decision=decision,
        history=[
            entry(start, Phase.STARTING, 0, f"revision {revision} starts"),
            entry(start + 9, Phase.PROMOTING, 100, "to 100 %: 2 pods ready"),
            entry(start + 10, Phase.SUCCEEDED, 100, decision),
        ],
        **fields,
    )


def shifting(number: int, start: float = 60, **fields: Any) -> Attempt:
    """An attempt at 25 %, carried by the proxies, with evidence that isn't enough for 50 %."""
    known = Evidence(
        since=at(start + 4),
        at=at(start + 16),
        verdict="Wait",
        reason="canary 0 of 512 requests failed, stable 3 of 9,731 (0.03 %), worse by at most 3.1 points at 95 %",
        slos=[
            SloEvidence(name="errors", canary=Share(total=512), stable=Share(total=9731, bad=3), lower=-2.1, upper=3.1),
            SloEvidence(name="attempts", canary=Share(total=513, bad=1), stable=Share(total=9735, bad=7), upper=1.9),
        ],
    )
    return Attempt.model_validate(
        {
            "number": number,
            "phase": Phase.SHIFTING,
            "startedAt": at(start),
            "weight": Weight(wanted=25, verified=25),
            "weightSince": at(start + 10),
            "verifiedSince": at(start + 11),
            "evidence": known,
            "history": [
                entry(start, Phase.STARTING, 0, "revision 4 starts beside stable revision 3"),
                entry(start + 4, Phase.SHIFTING, 5, "to 5 %: 1 pod ready"),
                entry(start + 10, Phase.SHIFTING, 25, "to 25 %: errors are no worse, 1 pod ready"),
            ],
        }
        | fields
    )


def rolled_back(number: int, start: float = 60, **fields: Any) -> Attempt:
    """An attempt whose requests failed."""
    known = Evidence(
        since=at(start + 4),
        at=at(start + 10.4),
        verdict="Worse",
        reason=WORSE.removesuffix(", rolled back after 6.4 s at 5 %"),
        slos=[
            SloEvidence(
                name="errors",
                canary=Share(total=512, bad=37),
                stable=Share(total=9731, bad=3),
                lower=4.9,
                upper=9.9,
            )
        ],
    )
    return Attempt.model_validate(
        {
            "number": number,
            "phase": Phase.ROLLED_BACK,
            "startedAt": at(start),
            "endedAt": at(start + 11.5),
            "decision": WORSE,
            "evidence": known,
            "history": [
                entry(start, Phase.STARTING, 0, "revision 4 starts beside stable revision 3"),
                entry(start + 4, Phase.SHIFTING, 5, "to 5 %: 1 pod ready"),
                entry(start + 10.4, Phase.ROLLING_BACK, 0, WORSE),
                entry(start + 11.5, Phase.ROLLED_BACK, 0, WORSE),
            ],
        }
        | fields
    )
