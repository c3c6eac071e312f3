"""The verbs of a rollout: which revision is meant, the annotation that asks the operator, and its answer.

The annotation goes to the Revision whose attempt the user saw, over the version of it that was read: if another attempt
has begun meanwhile, nothing is written, and that is told.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any

from seatrial.api.names import ANNOTATION_VERB
from seatrial.api.revision import Phase, Revision
from seatrial.cli.cluster import Cluster, service
from seatrial.cli.complaint import Complaint
from seatrial.cli.seen import Seen
from seatrial.kube.errors import Conflict, Forbidden, NotFound
from seatrial.kube.kinds import REVISION
from seatrial.rollout.verbs import Verb, verb_of

PATIENCE = 10.0  # seconds for the operator's answer
PATIENCE_WITH_THE_END = 120.0  # while another rollout must go back to stable first
EVERY = 0.2
clock = time.monotonic
TRIES = 10  # the operator writes the status of a revision that is rolled out about once a second


@dataclass(frozen=True)
class Ask:
    """What to ask of which service; `to` is the number of the revision that is meant, None for the obvious one."""

    verb: Verb
    service: str
    namespace: str | None
    to: int | None


@dataclass(frozen=True)
class Said:
    """What became of it: `done` is None where nobody waited for the answer."""

    revision: str
    asked: str
    done: bool | None
    message: str

    def data(self) -> dict[str, Any]:
        """For ``--output``."""
        return {"revision": self.revision, "asked": self.asked, "done": self.done, "message": self.message}


def meant(ask: Ask, there: Seen) -> Revision:
    """The Revision to write to. `Complaint` where there is none."""
    chosen = {"retry": _to_retry, "rollback": _to_go_back_to}.get(ask.verb, _under_way)(there, ask.to)
    revision = there.revision(chosen)
    if revision is None:
        numbers = ", ".join(str(r.spec.number) for r in there.revisions) or "none yet"
        raise Complaint(f"{there.name} has no revision {chosen}", f"it has {numbers}: name one of them with --to")
    return revision


def _under_way(there: Seen, to: int | None) -> int:
    active = there.active
    if active is None:
        stable = there.status.stable_revision
        known = "none is stable yet" if stable is None else f"its stable revision is {stable}"
        raise Complaint(f"{there.name} has no rollout under way; {known}", f"see `seatrial history {there.name}`")
    if to not in {None, active.number}:
        raise Complaint(
            f"revision {to} of {there.name} isn't being rolled out, revision {active.number} is",
            f"name that with --to {active.number}, or leave --to out",
        )
    return active.number


def _to_retry(there: Seen, to: int | None) -> int:
    if to is not None:
        return to
    newest = there.newest
    if newest is None:
        raise Complaint(f"nothing of {there.name} was tried yet", "apply its MeshService, and see what comes of it")
    attempt = newest.attempt
    if attempt.phase.active or attempt.phase.refused:
        return newest.number
    raise Complaint(
        f"the newest attempt of {there.name}, of revision {newest.number}, was {attempt.phase.value}",
        "name the revision to try again with --to",
    )


def _to_go_back_to(there: Seen, to: int | None) -> int:
    if to is not None:
        return to
    stable = there.status.stable_revision
    if there.active is not None and stable is not None:
        return stable
    served = there.served(besides=stable)
    if served is None:
        raise Complaint(
            f"{there.name} has no revision that served before",
            "apply the template that you want, or name one with --to",
        )
    return served


async def tell(cluster: Cluster, ask: Ask, *, wait: bool) -> Said:
    """Ask the operator, and wait for what it says."""
    revision, asked = await _write(cluster, ask)
    name = revision.metadata.name
    if not wait:
        return Said(name, asked, None, f"asked of revision {revision.spec.number}: the operator answers in its status")
    return await _answer(cluster, revision, asked)


async def _write(cluster: Cluster, ask: Ask) -> tuple[Revision, str]:
    asked = f"{ask.verb}/{secrets.token_hex(4)}"
    revision = meant(ask, await service(cluster, ask.service, ask.namespace))
    for _ in range(TRIES):
        meta = revision.metadata
        patch = {"metadata": {"annotations": {ANNOTATION_VERB: asked}, "resourceVersion": meta.resource_version}}
        try:
            await cluster.kube.merge(REVISION, meta.name, meta.namespace, patch)
        except Conflict:
            again = meant(ask, await service(cluster, ask.service, ask.namespace))
            if _attempt(again) != _attempt(revision):
                raise _changed(ask, revision) from None
            revision = again
        except NotFound:
            raise _gone(revision) from None
        except Forbidden as error:
            remedy = f"ask for the role seatrial-edit, or edit, in namespace {meta.namespace}"
            raise Complaint(error.message, remedy) from error
        else:
            return revision, asked
    raise Complaint(f"{revision.metadata.name} was changed each time before it could be written to", "ask again")


def _attempt(revision: Revision) -> tuple[int, int]:
    return revision.spec.number, revision.status.attempt.number if revision.status.attempt else 0


def _changed(ask: Ask, revision: Revision) -> Complaint:
    number, attempt = _attempt(revision)
    return Complaint(
        f"{ask.verb} wasn't asked: attempt {attempt}, of revision {number}, isn't the present one any more",
        f"look at `seatrial status {ask.service}` and ask again",
    )


def _gone(revision: Revision) -> Complaint:
    name = revision.metadata.name
    return Complaint(f"Revision {name} is gone", f"see `seatrial history {revision.spec.service}`")


async def _answer(cluster: Cluster, revision: Revision, asked: str) -> Said:
    meta, start = revision.metadata, clock()
    last = start
    while clock() - last < PATIENCE and clock() - start < PATIENCE_WITH_THE_END:
        raw = await cluster.kube.find(REVISION, meta.name, meta.namespace)
        if raw is None:
            raise _gone(revision)
        present = Revision.parse(raw)
        answer = present.status.answer
        if answer is not None and answer.asked == asked:
            return Said(meta.name, asked, answer.done, answer.message)
        pending = present.metadata.annotations.get(ANNOTATION_VERB)
        if pending != asked:
            raise Complaint(
                f"{pending or 'another verb'} took the place of {asked} on {meta.name}",
                f"see `seatrial status {revision.spec.service}`, and ask again if it is still wanted",
            )
        if await _goes_back(cluster, revision):
            last = clock()
        await asyncio.sleep(EVERY)
    verb, waited = verb_of(asked), f"{clock() - start:.0f} s"
    raise Complaint(
        f"{verb} of {meta.name} isn't answered after {waited}: the operator may be down",
        "it is done once when the operator is back; to take it back: "
        f"kubectl annotate rev -n {meta.namespace} {meta.name} {ANNOTATION_VERB}-",
    )


async def _goes_back(cluster: Cluster, revision: Revision) -> bool:
    """Whether the operator brings another attempt back to stable first: that takes its time, and is no silence."""
    active = (await service(cluster, revision.spec.service, revision.metadata.namespace)).active
    return active is not None and active.attempt.phase is Phase.ROLLING_BACK and active.number != revision.spec.number
