"""Manifests in files: read as kubectl reads them, with the line that each field is in."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seatrial.api.lint import lint, name_of
from seatrial.api.problems import Problem
from seatrial.cli.complaint import Complaint

_SUFFIXES = (".yaml", ".yml", ".json")


class _Loader(yaml.SafeLoader):
    """YAML without dates: kubectl takes them for text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """One object of a file, with the YAML it was written as."""

    file: str
    data: Mapping[str, Any]
    root: yaml.Node

    def line_of(self, path: str) -> int:
        """The line of a field (``spec.calls[0]``), or of what is nearest above it, counted from 1."""
        at = self.root
        line = at.start_mark.line
        for key, index in re.findall(r"([A-Za-z0-9_]+)|\[([^]]+)\]", path):
            below = _below(at, key or index)
            if below is None:
                break
            line, at = below
        return int(line) + 1


@dataclass(frozen=True)
class Finding:
    """A problem, and where it is written."""

    file: str
    line: int
    problem: Problem

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem.level}: {self.problem}"

    def data(self) -> dict[str, Any]:
        """For ``--output``."""
        problem = self.problem
        return {
            "file": self.file,
            "line": self.line,
            "level": problem.level.value,
            "object": problem.object,
            "field": problem.field,
            "value": problem.value,
            "message": problem.message,
            "remedy": problem.remedy,
        }


@dataclass
class Reading:
    """What was read, and what couldn't be."""

    documents: list[Document] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)
    files: int = 0

    def add(self, name: str, text: str) -> None:
        """Read one file."""
        self.files += 1
        try:
            pairs = list(zip(yaml.compose_all(text, _Loader), yaml.load_all(text, _Loader), strict=True))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            why = getattr(error, "problem", None) or str(error)
            remedy = "a chart's template? pipe `helm template …` into `seatrial lint -`" if "{{" in text else "mend it"
            problem = Problem("", f"isn't YAML: {why}", remedy)
            self.unreadable.append(Finding(name, mark.line + 1 if mark else 1, problem))
            return
        for node, document in pairs:
            if document is not None:
                self._open(name, node, document)

    def _open(self, name: str, node: yaml.Node, data: object) -> None:
        if isinstance(data, Mapping) and data.get("kind") == "List" and isinstance(data.get("items"), list):
            items = _below(node, "items")
            nodes = items[1].value if items else []
            for child, item in zip(nodes, data["items"], strict=True):
                self._open(name, child, item)
        elif isinstance(data, Mapping):
            self.documents.append(Document(name, data, node))
        else:
            self.unreadable.append(
                Finding(name, node.start_mark.line + 1, Problem("", "isn't an object", "begin it with apiVersion"))
            )


def read(paths: Sequence[Path]) -> Reading:
    """Read files, folders (all YAML and JSON below) and ``-`` (standard input)."""
    reading = Reading()
    for path in paths:
        if str(path) == "-":
            reading.add("<stdin>", sys.stdin.read())
            continue
        for file in _files(path):
            reading.add(str(file), _text(file))
    return reading


def findings(reading: Reading, namespace: str) -> list[Finding]:
    """All problems of what was read, in the order of files and lines."""
    written = {name_of(d.data, namespace): d for d in reversed(reading.documents)}
    found = list(reading.unreadable)
    for problem in lint([d.data for d in reading.documents], namespace=namespace):
        document = written[problem.object]
        found.append(Finding(document.file, document.line_of(problem.field), problem))
    order = {name: i for i, name in enumerate(dict.fromkeys(d.file for d in reading.documents))}
    return sorted(found, key=lambda f: (order.get(f.file, -1), f.line))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Complaint(f"can't read {file}: {error.strerror}", "name a file that is there") from error
    except UnicodeDecodeError as error:
        raise Complaint(f"can't read {file}: it isn't text in UTF-8", "name a manifest") from error


def _below(node: yaml.Node, key: str) -> tuple[int, yaml.Node] | None:
    """The line of a key and its value, or of an item of a list."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key or (key == "true" and name.tag.endswith(":bool")):
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        item = node.value[int(key)]
        return item.start_mark.line, item
    return None
