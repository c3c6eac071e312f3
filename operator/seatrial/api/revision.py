"""Revision: one template of a MeshService, frozen, with the story of its attempts. Written by the operator."""

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from seatrial.api.base import Lenient, Model, ObjectMeta, keyed_by
from seatrial.api.conditions import Condition
from seatrial.api.meshservice import (
    EnvSource,
    MeshServiceSpec,
    Migration,
    PodTemplate,
    Probes,
    Resources,
    ServicePort,
    Weight,
)


class Phase(StrEnum):
    """Where an attempt stands. `FAILED` never had traffic; `SUPERSEDED` gave way to a newer template."""

    QUEUED = "Queued"
    STARTING = "Starting"
    SHIFTING = "Shifting"
    PAUSED = "Paused"
    PROMOTING = "Promoting"
    SUCCEEDED = "Succeeded"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"

    @property
    def active(self) -> bool:
        """Whether the attempt isn't decided yet."""
        return self in _ACTIVE

    @property
    def refused(self) -> bool:
        """Whether the attempt didn't make it: it was found bad, or taken back by hand."""
        return self in _REFUSED


_REFUSED = frozenset({Phase.ROLLED_BACK, Phase.FAILED, Phase.ABORTED})
_ACTIVE = frozenset({Phase.QUEUED, Phase.STARTING, Phase.SHIFTING, Phase.PAUSED, Phase.PROMOTING, Phase.ROLLING_BACK})


class Template(Lenient):
    """All that makes pods of a revision what they are."""

    image: str
    command: list[str] = Field(default_factory=list)
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    env_from: list[EnvSource] = Field(default_factory=list)
    resources: Resources = Resources()
    ports: list[ServicePort] = Field(default_factory=list)
    migrate: Migration | None = None
    probes: Probes = Probes()
    grace: str = "45s"
    pod_template: PodTemplate = PodTemplate()
    restart: str = Field("", description="Value of the annotation that `seatrial restart` sets on the MeshService.")


class ConfigCopy(Lenient):
    """An immutable copy of a ConfigMap, made when the revision was."""

    source: str
    copy_name: str
    hash: str


class RevisionSpec(Lenient):
    """What was frozen: never changed once it is written."""

    service: str
    number: int
    hash: str = Field(description="Of template and config contents: 12 hex digits of SHA-256.")
    template: Template
    configs: list[ConfigCopy] = Field(default_factory=list)


class Entry(Lenient):
    """A line of the log: what changed, when (RFC 3339, UTC), and why, in one sentence."""

    at: str
    phase: Phase
    weight: int
    reason: str


class Share(Lenient):
    """So many of so many."""

    total: int = 0
    bad: int = 0


class SloEvidence(Lenient):
    """What was seen of one objective. `lower` and `upper` bound canary minus stable, in percent points."""

    name: str = Field(description="errors, attempts, latency, or the name of a query.")
    canary: Share = Share()
    stable: Share = Share()
    lower: float = -100.0
    upper: float = 100.0


class Evidence(Lenient):
    """What the attempt is judged by: counted since `since`, and good at any moment that one looks."""

    since: str = Field("", description="When counting began, or began anew because the policy changed.")
    at: str = Field("", description="When this was the state of things.")
    verdict: str = Field("", description="Wait, Better, Worse, Noisy, NoData, Suspect.")
    reason: str = Field("", description="The verdict in one sentence, with its numbers.")
    confidence: float = 95.0
    slos: list[SloEvidence] = Field(default_factory=list)
    silent: list[str] = Field(default_factory=list, description="Callers that could not be asked at the last look.")
    problems: list[str] = Field(
        default_factory=list, description="What can't be answered, and why, as a query that Prometheus refuses."
    )
    restarts: int = Field(0, description="How often the test began anew; each takes its share of the promise.")
    checkpoint: str = Field(
        "", description="State of the test and of the counters, for the next process to go on from."
    )


class Answer(Lenient):
    """What became of a verb: `asked` is the annotation's value as it was."""

    asked: str
    at: str
    done: bool = False
    message: str = ""
    open: bool = Field(False, description="The annotation isn't taken off yet.")


Cause = Literal["Template", "Retry", "Rollback"]


class Attempt(Lenient):
    """One try to give the revision its traffic."""

    number: int = Field(description="Counts over all revisions of the service: the highest that succeeded is stable.")
    phase: Phase
    cause: Cause = Field("Template", description="Template: the spec asked for it. Retry, Rollback: the verb did.")
    template: int | None = Field(
        None, description="The revision that the spec asked for when the attempt began: another one ends it."
    )
    held: bool = Field(False, description="Held by the verb pause, or for want of a verdict, until a verb says more.")
    promoted: bool = Field(False, description="The verb promote let it go on without more evidence.")
    evidence: Evidence | None = None
    started_at: str
    ended_at: str | None = None
    outcome: Phase | None = Field(
        None, description="What the attempt will be called when its weight is back at stable."
    )
    weight: Weight = Weight()
    weight_since: str | None = Field(None, description="When the wanted weight was asked for.")
    verified_since: str | None = Field(
        None, description="When the proxies were seen to carry it; a step's hold counts from here."
    )
    decision: str = ""
    history: list[Entry] = Field(default_factory=list)


class RevisionStatus(Lenient):
    """Where the revision stands and how it came there."""

    phase: Phase | None = None
    role: Literal["Stable", "Canary", "Kept", ""] = ""
    weight: Weight | None = None
    replicas: int = 0
    ready_replicas: int = 0
    message: str = ""
    brief: str = Field("", description="What it waits for, or why it ended, in a few words.")
    draining_since: str | None = Field(None, description="When the proxies were seen to send it nothing any more.")
    attempts: list[Attempt] = Field(default_factory=list)
    answer: Answer | None = Field(None, description="To the last verb that was asked of this revision.")
    conditions: list[Condition] = Field(default_factory=list, json_schema_extra=keyed_by("type"))

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


class Revision(Model):
    """One template of a MeshService, frozen, with the story of its attempts to get traffic. Written by the operator."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["seatrial.dev/v1alpha1"] = "seatrial.dev/v1alpha1"
    kind: Literal["Revision"] = "Revision"
    metadata: ObjectMeta
    spec: RevisionSpec
    status: RevisionStatus = Field(default_factory=RevisionStatus)


def template_of(spec: MeshServiceSpec, restart: str = "") -> Template:
    """The part of a spec that belongs to the pods. Policy, replicas and rollout settings act in place: not in it."""
    return Template(
        image=spec.image,
        command=spec.command,
        args=spec.args,
        env=dict(spec.env),
        env_from=spec.env_from,
        resources=spec.resources,
        ports=list(spec.service_ports),
        migrate=spec.migrate,
        probes=spec.probes,
        grace=spec.shutdown.grace,
        pod_template=spec.pod_template,
        restart=restart,
    )
