"""Words for an occasion, from templates beside this module.

A template has three blocks: ``subject``, ``short`` for an SMS or a push, ``long`` for a mail. What a customer or a
partner has typed stands in them, so: templates run in a sandbox, a field that isn't there is an error and not a gap in
a sentence, and HTML is made in one place, which escapes the finished text.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifications.ports import Wording

_FOLDER: Final = Path(__file__).parent / "templates"
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title></head><body>
{% for paragraph in paragraphs %}<p>{{ paragraph }}</p>
{% endfor %}</body></html>
"""
_SPACE: Final = re.compile(r"\s+")


class WordingError(Exception):
    """A template doesn't go with what it is about. Trying again changes nothing; another template does."""


class Words:
    """Finds words by templates in a folder."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._plain = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            autoescape=False,  # plain text; HTML goes through the page below
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._page = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)

    def of(self, kind: str, fields: Mapping[str, Any]) -> Wording:
        """Word an occasion. Raises ``WordingError``."""
        try:
            template = self._plain.get_template(f"{kind}.txt")
            blocks = {
                name: "".join(template.blocks[name](template.new_context(dict(fields)))).strip()
                for name in ("subject", "short", "long")
            }
        except (TemplateError, KeyError, OverflowError) as error:
            raise WordingError(f"template {kind}: {type(error).__name__}: {error}") from error
        return self.plain(**blocks)

    def plain(self, *, subject: str, short: str, long: str) -> Wording:
        """Words that somebody has found already."""
        subject, short = _SPACE.sub(" ", subject), _SPACE.sub(" ", short)
        paragraphs = [one for one in re.split(r"\n\s*\n", long.strip()) if one]
        return Wording(subject, short, long, self._page.render(subject=subject, paragraphs=paragraphs))
