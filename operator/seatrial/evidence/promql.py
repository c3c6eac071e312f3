"""Text put into PromQL without changing what the rest of it means."""

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TAME = re.compile(r"[A-Za-z0-9._-]+")
_RE2_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def literal(text: str) -> str:
    r"""A string literal.

    >>> print(literal('a"b\\c'))
    "a\"b\\c"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def one_of(texts: list[str]) -> str:
    r"""A string literal of the regular expression that matches exactly these.

    >>> print(one_of(["10.0.0.1:15090", "b"]))
    "10\\.0\\.0\\.1:15090|b"
    """
    return literal("|".join(_RE2_SPECIAL.sub(r"\\\1", text) for text in texts))


def filled(expression: str, values: Mapping[str, str]) -> str:
    """The expression with its ``{{placeholders}}`` filled in; raises ValueError where one isn't known.

    A value is letters, digits, dots, dashes and underscores. So wherever its author put the placeholder, inside a
    string, a regular expression or a name, it can't end what it stands in.

    >>> filled('rows{service="{{service}}", revision="{{ revision }}"}', {"service": "orders", "revision": "3"})
    'rows{service="orders", revision="3"}'
    """

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        if name not in values:
            known = ", ".join(f"{{{{{n}}}}}" for n in sorted(values))
            raise ValueError(f"{{{{{name}}}}} can't be filled in: there are {known}")
        if not _TAME.fullmatch(values[name]):
            raise ValueError(f"{values[name]!r} isn't safe to put into a query for {{{{{name}}}}}")
        return values[name]

    return _PLACEHOLDER.sub(value, expression)
