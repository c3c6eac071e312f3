"""What a load is: where it goes, what is asked, when.

One value for the library, the command line and the generator. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from loadtests.arrivals import SPACINGS, Spacing, Stage

HOST = "http://127.0.0.1:8080"
REQUESTS = {"shopping": 5, "ordering": 2}  # of a whole journey, by its name
BUYERS = 20  # one visitor in so many places an order
HEADERS = (("Host", "shop.localhost"),)  # which of the ingress gateway's hosts is meant


@dataclass(frozen=True)
class Ask:
    """One request that every arrival makes. `{n}` in path, headers and body becomes the arrival's number."""

    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    expect: int = 200
    name: str = ""

    def numbered(self, number: int) -> Self:
        """The request of one arrival."""
        mark = str(number)
        return replace(
            self,
            path=self.path.replace("{n}", mark),
            headers=tuple((name, value.replace("{n}", mark)) for name, value in self.headers),
            body=None if self.body is None else self.body.replace("{n}", mark),
            name=self.name or f"{self.method} {self.path.partition('?')[0]}",
        )


@dataclass(frozen=True)
class Plan:
    """A load with open arrival: stages of arrivals, each of them a single request or a journey by its name."""

    stages: tuple[Stage, ...]
    what: Ask | str
    spacing: Spacing = "poisson"
    seed: int = 0
    host: str = HOST
    headers: tuple[tuple[str, str], ...] = HEADERS
    timeout: float = 10.0  # seconds for a whole request
    most_at_once: int = 2000  # visits under way; more than these wait, and the wait shows as lag
    worker: int = 0
    workers: int = 1
    record: Path = field(default=Path("load.jsonl"))

    def __post_init__(self) -> None:
        if self.spacing not in SPACINGS:
            raise ValueError(f"arrivals are spaced {' or '.join(SPACINGS)}, not {self.spacing}")

    @property
    def about(self) -> dict[str, object]:
        """What the record's header says of the run."""
        return {
            "host": self.host,
            "what": self.what if isinstance(self.what, str) else f"{self.what.method} {self.what.path}",
            "stages": [(s.rate, s.seconds if s.seconds < float("inf") else None) for s in self.stages],
            "spacing": self.spacing,
            "seed": self.seed,
            "worker": self.worker,
            "workers": self.workers,
        }


def parse_stages(texts: Sequence[str]) -> tuple[Stage, ...]:
    """Read `RATE` or `RATE:SECONDS`, such as 50 or 20:30; without seconds a stage lasts until the load is stopped."""
    stages = []
    for text in texts:
        rate, _, seconds = text.partition(":")
        try:
            stages.append(Stage(float(rate), float(seconds) if seconds else float("inf")))
        except ValueError as error:
            raise ValueError(f"{text!r} is not a stage: write RATE:SECONDS, such as 20:30") from error
    return tuple(stages)


def parse_header(text: str) -> tuple[str, str]:
    """Read `Name: value`."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"{text!r} is not a header: write 'Name: value'")
    return name.strip(), value.strip()


def arguments(plan: Plan) -> list[str]:
    """The command line of `python -m loadtests open` for a plan."""
    made = [f"--stage={s.rate!r}" + (f":{s.seconds!r}" if s.seconds < float("inf") else "") for s in plan.stages]
    made += [f"--spacing={plan.spacing}", f"--seed={plan.seed}", f"--host={plan.host}", f"--timeout={plan.timeout}"]
    made += [f"--most-at-once={plan.most_at_once}", f"--worker={plan.worker}", f"--workers={plan.workers}"]
    made += [f"--record={plan.record}", *(f"--header={name}: {value}" for name, value in plan.headers)]
    if isinstance(plan.what, str):
        return [*made, f"--journey={plan.what}"]
    ask = plan.what
    made += [f"--path={ask.path}", f"--method={ask.method}", f"--expect={ask.expect}", f"--name={ask.name}"]
    made += [f"--ask-header={name}: {value}" for name, value in ask.headers]
    return made if ask.body is None else [*made, f"--body={ask.body}"]
