"""Keeps what the demo showed as an SVG that needs nothing from anywhere."""

import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

_WIDTH = 104  # characters


def console() -> Console:
    """A console that remembers, and shows the same to who runs it."""
    return Console(record=True, width=_WIDTH, highlight=False, force_terminal=True)


def save(shown: Console, path: Path, *, title: str = "make demo") -> None:
    """Write what the console showed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(shown.export_svg(title=title, code_format=_without_fonts()), encoding="utf-8")


def _without_fonts() -> str:
    """Rich's drawing without the fonts that it fetches from a server: any monospaced one will do."""
    return re.sub(r"@font-face \{\{.*?\}\}\n\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
