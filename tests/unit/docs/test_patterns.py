"""The pages of the patterns: each has the form that readers know from the others, and points at things that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs/patterns"
SECTIONS = ["When to use it", "When not", "What it costs", "Where the code is", "See it work", "Without it"]
OTHER_FORM = {"README.md", "seed-faults.md", "context-map.md"}
"""Lists and a map: no patterns of their own."""
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
PATTERNS = [name for name in PAGES if name not in OTHER_FORM]

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:services|operator|tests|charts|loadtests|docs|demo|mesh|cluster)/[\w./{},*-]+)(?:::[\w:]+)?`")
TEST = re.compile(r"\b(tests/[\w/]+\.py)((?:::\w+)*)")


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The text below a heading."""
    return re.split(r"^## ", text(name).split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def named(nodes: str, source: str) -> bool:
    """Whether a file has the class and the function of ``::Class::function``."""
    return all(re.search(rf"^ *(def|async def|class) {node}\b", source, re.MULTILINE) for node in nodes.split("::")[1:])


def spelled_out(path: str) -> Iterator[str]:
    """`a/{b,c}.py` is two paths."""
    if found := re.search(r"\{([^}]*)\}", path):
        for choice in found[1].split(","):
            yield from spelled_out(path[: found.start()] + choice + path[found.end() :])
    else:
        yield path


@pytest.mark.parametrize("name", PATTERNS)
def test_a_page_has_its_sections_in_order(name: str) -> None:
    assert HEADING.findall(text(name))[: len(SECTIONS)] == SECTIONS
    for heading in SECTIONS:
        assert section(name, heading).strip(), heading


@pytest.mark.parametrize("name", PATTERNS)
def test_a_page_says_first_what_the_pattern_is(name: str) -> None:
    assert re.match(r"# \S.*\n\n?\S.{40,}", text(name))


@pytest.mark.parametrize("name", PATTERNS)
def test_a_page_names_code_and_a_command(name: str) -> None:
    assert PATH.search(section(name, "Where the code is"))
    assert re.search(r"^```\w*\n\S", section(name, "See it work"), re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_exists(name: str) -> None:
    missing = [
        path
        for found in PATH.findall(text(name))
        for path in spelled_out(found)
        if not (any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists())
    ]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_a_test_that_a_page_names_exists(name: str) -> None:
    missing = [
        path + nodes
        for path, nodes in TEST.findall(text(name))
        if not (ROOT / path).is_file() or not named(nodes, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_links_to_exists(name: str) -> None:
    assert [link for link in LINK.findall(text(name)) if not (FOLDER / link).exists()] == []


def test_the_index_has_every_page() -> None:
    assert sorted({*LINK.findall(text("README.md"))} & set(PAGES)) == [name for name in PAGES if name != "README.md"]
