"""What somebody asks of a revision by an annotation, done once and answered in its status.

The answer is written with the change it tells of, in one status; the annotation goes afterwards. So a crash between the
two does nothing twice, and the same verb can be asked again once its annotation is gone.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from seatrial.api.names import ANNOTATION_VERB
from seatrial.api.revision import Attempt, Phase, Revision
from seatrial.rollout.helm import Helm

Verb = Literal["promote", "pause", "resume", "abort", "retry", "rollback"]
VERBS: tuple[Verb, ...] = get_args(Verb)


def verb_of(raw: str) -> str:
    """The verb in an annotation's value, without the id by which its asker knows it."""
    return raw.partition("/")[0]


@dataclass(frozen=True)
class Ask:
    """`raw` is the annotation's value: the verb, perhaps with an id after a slash, by which its asker knows it."""

    revision: int
    raw: str

    @property
    def verb(self) -> str:
        """What shall be done."""
        return verb_of(self.raw)


def asked(revision: Revision) -> str | None:
    """The value of its annotation."""
    return revision.metadata.annotations.get(ANNOTATION_VERB)


def asks(revisions: tuple[Revision, ...]) -> list[Ask]:
    """What is asked and not answered yet."""
    return [
        Ask(revision.spec.number, raw)
        for revision in revisions
        if (raw := asked(revision)) is not None and not is_answered(revision, raw)
    ]


def is_answered(revision: Revision, raw: str) -> bool:
    """Whether the status has the answer to this very annotation, which may then go."""
    answer = revision.status.answer
    return answer is not None and answer.open and answer.asked == raw


def obey(helm: Helm) -> None:
    """Do what is asked and not done yet, and answer it."""
    for revision in helm.world.revisions:
        if asked(revision) is None:
            helm.story.close_answer(revision.spec.number)
    for ask in asks(helm.world.revisions) if helm.world.judge else ():
        if answer := _do(helm, ask):
            done, message = answer
            helm.story.answer(ask.revision, ask.raw, message, done=done)


def _do(helm: Helm, ask: Ask) -> tuple[bool, str] | None:
    """Whether it was done, and what to say; None where it must wait for another attempt to end."""
    if ask.verb not in VERBS:
        return False, f"there is no such verb: it is one of {', '.join(VERBS)}"
    if ask.verb in {"retry", "rollback"}:
        return _try_again(helm, ask)
    attempt = helm.story.attempt(ask.revision)
    if attempt is None or not attempt.phase.active:
        return False, f"revision {ask.revision} isn't being rolled out"
    if attempt.phase is Phase.ROLLING_BACK:
        return False, f"revision {ask.revision} is on its way back to 0 %"
    act = {"promote": _promote, "pause": _pause, "resume": _resume, "abort": _abort}[ask.verb]
    return act(helm, ask.revision, attempt)


def _promote(helm: Helm, number: int, _attempt: Attempt) -> tuple[bool, str]:
    if helm.spec.paused:
        return False, "spec.paused holds it: set it to false first"
    helm.story.promote(number)
    return True, f"revision {number} gets all traffic as soon as it has the pods for it"


def _pause(helm: Helm, number: int, attempt: Attempt) -> tuple[bool, str]:
    if attempt.phase is Phase.PROMOTING:
        return False, f"revision {number} has all traffic already: abort takes it back"
    helm.story.hold(number, held=True)
    return True, f"revision {number} is held at {attempt.weight.wanted} %"


def _resume(helm: Helm, number: int, attempt: Attempt) -> tuple[bool, str]:
    if helm.spec.paused:
        return False, "spec.paused holds it: set it to false"
    if not attempt.held:
        return False, f"revision {number} isn't held"
    helm.story.hold(number, held=False)
    return True, f"revision {number} goes on at {attempt.weight.wanted} %"


def _abort(helm: Helm, number: int, attempt: Attempt) -> tuple[bool, str]:
    if helm.stable is None:
        return False, "there is no other revision that could have the traffic"
    reason = f"aborted at {attempt.weight.wanted} %"
    helm.go_back(number, Phase.ABORTED, reason)
    return True, f"{reason}: all traffic goes to revision {helm.stable}"


def _try_again(helm: Helm, ask: Ask) -> tuple[bool, str] | None:
    """Begin a new attempt of a revision that was there before; a rollback first ends what is under way."""
    number, active = ask.revision, helm.canary()
    if number == active:
        return False, f"revision {number} is being rolled out"
    if active is not None and ask.verb == "retry":
        return False, f"revision {active} is being rolled out: wait for it, or abort it"
    if active is not None:
        attempt = helm.attempt(active)
        if attempt.phase is not Phase.ROLLING_BACK and helm.stable is not None:
            helm.go_back(active, Phase.ABORTED, f"aborted for a rollback to revision {number}")
        if number != helm.stable:
            return None
    if number == helm.stable:
        return ask.verb == "rollback", f"revision {number} is stable"
    proven = any(a.phase is Phase.SUCCEEDED for a in helm.story.statuses[number].attempts)
    back = ask.verb == "rollback" and proven
    reason = f"revision {number} starts again{', since it served before,' if back else ''} {helm.beside()}"
    helm.story.begin(number, reason, cause="Rollback" if back else "Retry", template=helm.target)
    return True, reason
