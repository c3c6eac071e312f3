"""Pages that a real Envoy gave, one after the other, kept as the lines that changed from page to page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_MARK = "=== "


@dataclass(frozen=True)
class Capture:
    """One page: when, on a clock in seconds, in answer to which kind of question (a word), and its text."""

    at: float
    kind: str
    page: str


def write(file: Path, captures: Sequence[Capture]) -> None:
    """Keep them."""
    known: dict[str, dict[str, str]] = {}
    lines = []
    for capture in captures:
        lines.append(f"{_MARK}{capture.at:.3f} {capture.kind}")
        before = known.setdefault(capture.kind, {})
        for line in capture.page.splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#") and before.get(name) != value:
                before[name] = value
                lines.append(line)
    file.write_text("\n".join(lines) + "\n")


def read(file: Path) -> Iterator[Capture]:
    """Give them back, whole."""
    known: dict[str, dict[str, str]] = {}
    head, changed = "", dict[str, str]()
    for line in [*file.read_text().splitlines(), _MARK]:
        if not line.startswith(_MARK):
            name, _, value = line.rpartition(" ")
            changed[name] = value
            continue
        if head:
            at, kind = head.split()
            page = known.setdefault(kind, {})
            page.update(changed)
            yield Capture(float(at), kind, "".join(f"{name} {value}\n" for name, value in page.items()))
        head, changed = line.removeprefix(_MARK), {}
