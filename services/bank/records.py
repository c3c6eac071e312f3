"""The bank's record format: ``NAME=VALUE`` fields with semicolons between them, one record a line."""

import re
from typing import Final

Record = dict[str, str]

ENCODING: Final = "iso-8859-1"
_FIELDS: Final = ("TYP", "REF", "ACC", "AMT", "CUR")
_SHAPES: Final = {
    "TYP": re.compile(r"CHG|RFD|ENQ"),
    "REF": re.compile(r"[A-Za-z0-9._:-]{1,64}"),
    "ACC": re.compile(r"[A-Za-z0-9._@+:-]{1,64}"),
    "AMT": re.compile(r"(0|[1-9][0-9]{0,2}(\.[0-9]{3})*)(,[0-9]+)?"),
    "CUR": re.compile(r"[A-Z]{3}"),
}


def parse(text: str) -> Record:
    """The fields of a request. Raises ``ValueError`` with the first that is wrong."""
    record = dict(part.partition("=")[::2] for part in text.strip().split(";"))
    if tuple(record) != _FIELDS:
        raise ValueError(f"a request has the fields {';'.join(_FIELDS)}")
    for name, shape in _SHAPES.items():
        if not shape.fullmatch(record[name]):
            raise ValueError(f"{name}={record[name]} is not acceptable")
    return record


def render(record: Record) -> str:
    """A record as a line."""
    return ";".join(f"{name}={value}" for name, value in record.items()) + "\n"
