"""One move of an attempt that is under way: on, held, or back to stable. Going back never waits."""

from seatrial.api.revision import Attempt, Phase
from seatrial.rollout import capacity, steps
from seatrial.rollout.helm import Helm
from seatrial.rollout.world import Pods, moment

RESTARTS_TOLERATED = 2


def advance(helm: Helm, canary: int, attempt: Attempt) -> None:
    """Take the next safe step with it, or back."""
    helm.verify(canary, attempt)
    attempt = helm.attempt(canary)
    if attempt.phase is Phase.ROLLING_BACK:
        helm.finish_going_back(canary, attempt)
    elif not helm.world.judge and helm.stable is not None:
        helm.go_back(canary, Phase.ROLLED_BACK, "nobody judged the rollout: all traffic goes back to stable")
    elif _outdated(helm, canary, attempt) and not _must_succeed_first(helm, attempt):
        _give_way(helm, canary)
    elif attempt.phase is Phase.STARTING:
        _start(helm, canary, attempt)
    else:
        _shift(helm, canary, attempt)


def _outdated(helm: Helm, canary: int, attempt: Attempt) -> bool:
    """Whether the spec asks for something else than when the attempt began."""
    return helm.target != (canary if attempt.cause == "Template" else attempt.template)


def _must_succeed_first(helm: Helm, attempt: Attempt) -> bool:
    """A first revision that serves already becomes stable before the next one may take its place."""
    return helm.stable is None and attempt.phase is Phase.PROMOTING


def _give_way(helm: Helm, canary: int) -> None:
    if helm.target is not None and helm.target == helm.stable:
        reason = f"the template changed back to that of stable revision {helm.stable}"
        helm.go_back(canary, Phase.ROLLED_BACK, reason)
    elif helm.stable is None:
        helm.story.move(canary, Phase.SUPERSEDED, 0, "the template changed again before the first one was ready")
    else:
        helm.go_back(canary, Phase.SUPERSEDED, "the template changed again: its traffic goes to stable first")


def _start(helm: Helm, canary: int, attempt: Attempt) -> None:
    """Pods first. The first revision of a service is routed at once: there is nothing that it could harm."""
    first = helm.stable is None
    unseen = not first and steps.begins_unseen(helm.rollout, attempt)
    weight = 100 if first else 0 if unseen else helm.following(attempt, 0)
    helm.pods_ahead = helm.needed(100 if unseen else weight)
    pods = helm.world.pods_of(canary)
    if helm.world.migrations.get(canary) == "failed":
        hint = f"see `kubectl logs job/{_job(helm, canary)}`"
        helm.story.move(canary, Phase.FAILED, 0, f"the migration job failed: {hint}")
    elif not first and (verdict := _verdict_against(helm, attempt)):
        helm.story.move(canary, Phase.FAILED, 0, verdict)
    elif _enough(helm, pods):
        if first or (_may_route(helm, canary, attempt) and not _held_by(helm, attempt)):
            what = "marked or mirrored requests first: " if unseen else ""
            _step_to(helm, canary, weight, f"{what}{_count(pods.ready)} ready")
    elif _is_overdue(helm, canary, attempt, pods) and not first:
        reason = f"not ready within {helm.rollout.progress_deadline}: {_trouble(pods)}"
        helm.story.move(canary, Phase.FAILED, 0, reason)


def _shift(helm: Helm, canary: int, attempt: Attempt) -> None:
    """With traffic: the next step when hold and evidence allow it and the pods for it are ready."""
    weight = attempt.weight.wanted
    following = helm.following(attempt, weight)
    pods = helm.world.pods_of(canary)
    helm.pods_ahead = helm.needed(100 if weight == 0 else helm.prepared_for(weight, following))
    if helm.stable is not None and (harm := _harm(helm, canary, attempt)):
        helm.go_back(canary, Phase.ROLLED_BACK, harm)
    elif weight == 100:
        if _serves(helm, pods) and _held(helm, attempt, only_for="blueGreen"):
            helm.story.move(canary, Phase.SUCCEEDED, 100, f"revision {canary} is stable")
    elif why := _held_by(helm, attempt):
        if attempt.phase is not Phase.PAUSED:
            helm.story.move(canary, Phase.PAUSED, weight, f"paused at {weight} % by {why}")
    elif attempt.phase is Phase.PAUSED:
        helm.story.move(canary, Phase.SHIFTING, weight, f"goes on at {weight} %")
    elif steps.is_sure(attempt) or _held(helm, attempt):
        _try_step(helm, canary, attempt, following, pods)


def _try_step(helm: Helm, canary: int, attempt: Attempt, following: int, pods: Pods) -> None:
    weight, analysis = attempt.weight.wanted, helm.rollout.analysis
    since = attempt.verified_since or attempt.started_at
    overdue = analysis is not None and helm.late(since, analysis.step_timeout)
    gate = steps.gate(helm.spec, attempt, following, helm.world.verdict, overdue=overdue)
    if gate.action == "rollback":
        helm.go_back(canary, Phase.ROLLED_BACK, gate.why)
    elif gate.action == "pause":
        helm.story.hold(canary, held=True)
        helm.story.move(canary, Phase.PAUSED, weight, f"paused at {weight} %: {gate.why}")
    elif gate.action == "step" and _enough(helm, pods):
        _step_to(helm, canary, following, f"{gate.why}, {_count(pods.ready)} ready")
    elif gate.action == "step" and helm.stable is not None and _are_late(helm, pods):
        need = f"{pods.ready} of {helm.pods_ahead} pods for {following} % ready"
        reason = f"only {need} within {helm.rollout.progress_deadline}: {_trouble(pods)}"
        helm.go_back(canary, Phase.ROLLED_BACK, reason)


def _harm(helm: Helm, canary: int, attempt: Attempt) -> str:
    """Why it must not keep its traffic; empty where nothing says so."""
    weight, pods = attempt.weight.wanted, helm.world.pods_of(canary)
    if verdict := _verdict_against(helm, attempt):
        since = moment(attempt.weight_since or attempt.started_at)
        lasted = (helm.world.now - since).total_seconds()
        return f"{verdict}, rolled back after {lasted:.1f} s at {weight} %"
    if pods.restarts > RESTARTS_TOLERATED and pods.ready < pods.wanted:
        return f"its containers restarted {pods.restarts} times: {_trouble(pods)}"
    if weight > 0 and not _serves(helm, pods):
        return f"no pod of it is ready any more: {_trouble(pods)}"
    asked, within = attempt.weight_since or attempt.started_at, helm.rollout.progress_deadline
    if attempt.verified_since is None and not helm.has_its_share(canary, attempt) and helm.late(asked, within):
        return f"only {pods.ready} of {helm.needed(weight)} pods for {weight} % ready within {within}: {_trouble(pods)}"
    return ""


def _verdict_against(helm: Helm, attempt: Attempt) -> str:
    """What proves it to be worse; a revision that is gone back to is no longer judged."""
    verdict = helm.world.verdict
    proved = verdict is not None and verdict.finding == "Worse" and attempt.cause != "Rollback"
    return verdict.reason if verdict is not None and proved else ""


def _held_by(helm: Helm, attempt: Attempt) -> str:
    """What keeps it from going on, beside evidence."""
    return "spec.paused" if helm.spec.paused else "the verb pause" if attempt.held else ""


def _enough(helm: Helm, pods: Pods) -> bool:
    return pods.ready >= helm.pods_ahead and pods.wanted >= helm.pods_ahead


def _is_overdue(helm: Helm, canary: int, attempt: Attempt, pods: Pods) -> bool:
    """Whether it isn't ready in its time, which begins with its pods where a migration comes before them."""
    revision, migration = helm.world.revision(canary), helm.world.migrations.get(canary)
    if revision is not None and revision.spec.template.migrate and migration is not None:
        return migration == "done" and _are_late(helm, pods)
    return helm.late(attempt.started_at, helm.rollout.progress_deadline)


def _are_late(helm: Helm, pods: Pods) -> bool:
    """Whether pods had their time: from when they were made, for a migration or evidence may let them come late."""
    return bool(pods.waiting_since) and helm.late(pods.waiting_since, helm.rollout.progress_deadline)


def _serves(helm: Helm, pods: Pods) -> bool:
    return pods.ready > 0 or not capacity.is_asked_for(helm.spec)


def _step_to(helm: Helm, canary: int, weight: int, why: str) -> None:
    phase = Phase.PROMOTING if weight == 100 else Phase.SHIFTING
    helm.story.move(canary, phase, weight, f"to {weight} %: {why}")
    helm.pods_ahead = 0  # those for the step after this one are asked for at once


def _held(helm: Helm, attempt: Attempt, *, only_for: str = "") -> bool:
    """Whether the proxies carried the weight for the hold; at 100 % that is asked of one strategy only."""
    if attempt.verified_since is None:
        return False
    return helm.late(attempt.verified_since, helm.rollout.hold) or only_for not in {"", helm.rollout.strategy}


def _may_route(helm: Helm, canary: int, attempt: Attempt) -> bool:
    judged = not steps.is_judged(helm.spec) or steps.is_sure(attempt) or helm.world.verdict is not None
    return canary in helm.live.subsets and helm.world.mesh.settled and judged


def _job(helm: Helm, canary: int) -> str:
    return f"{helm.world.service.metadata.name}-{canary}-migrate"


def _count(pods: int) -> str:
    return "1 pod" if pods == 1 else f"{pods} pods"


def _trouble(pods: Pods) -> str:
    return pods.problem or f"{pods.ready} of {pods.wanted} pods ready"
