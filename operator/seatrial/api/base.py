"""What every model of the API shares: strict, frozen, camelCase outside and snake_case inside."""

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

GROUP = "seatrial.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DURATION_PATTERN = r"^([0-9]+(ms|s|m|h))+$"
DNS_LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
HOST_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
PATH_PATTERN = r"^/.*$"
COOKIE_NAME_PATTERN = r"^[A-Za-z0-9_-]+$"
QUANTITY_PATTERN = r"^[0-9]{1,18}(\.[0-9]{1,9})?([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]
Percent = Annotated[int, Field(ge=0, le=100)]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=DNS_LABEL_PATTERN, max_length=63)]
Path = Annotated[str, Field(pattern=PATH_PATTERN, max_length=1024)]


def _quantity(value: object) -> str | int:
    if isinstance(value, str) and re.match(QUANTITY_PATTERN, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{value!r} is no quantity")


Quantity = Annotated[
    str | int,
    PlainValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "x-kubernetes-int-or-string": True,
        }
    ),
]


def keyed_by(*keys: str) -> dict[str, Any]:
    """Say in the schema that a list's items are told apart by `keys`: no two alike, and appliers may share it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def unique_items() -> dict[str, Any]:
    """Say in the schema that a list has no value twice."""
    return {"x-kubernetes-list-type": "set"}


def not_in_schema(schema: dict[str, Any]) -> None:
    """Keep a default out of the CRD, for a field that means nothing in some of its objects."""
    schema.pop("default", None)


def seconds(duration: str) -> float:
    """Length of a duration string such as ``1m30s`` or ``250ms``, in seconds.

    >>> seconds("1m30s")
    90.0
    """
    if not re.match(DURATION_PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration: write it like 250ms, 5s, 2m or 1h")
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h)", duration))


class Model(BaseModel):
    """A part of a custom resource. Unknown fields are errors; values are copied with ``model_copy``, never changed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True
    )

    @classmethod
    def parse(cls, data: object) -> Self:
        """Read it from JSON data of the API server, raising ``pydantic.ValidationError``."""
        return cls.model_validate(data)

    def dump(self) -> dict[str, Any]:
        """JSON data for the API server: camelCase, without the fields that were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Lenient(Model):
    """A model of what we wrote ourselves, perhaps by a newer version: unknown fields are ignored, never refused."""

    model_config = ConfigDict(extra="ignore")


class ObjectMeta(Lenient):
    """The part of an object's metadata that Seatrial reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
