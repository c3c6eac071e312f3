"""The CustomResourceDefinitions, generated from the models: ``python -m seatrial.api.crd`` writes them into the chart.

A structural schema is a small part of JSON schema, so what pydantic says is translated: references are inlined, an
optional field is one that isn't required, defaults of nested objects are `{}` (the API server fills them in from
there), and each rule of `seatrial.api.rules` becomes a CEL validation of its model. A Revision has neither defaults nor
rules: it is what was frozen, and a later version of Seatrial must not refuse it or add to it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seatrial.api.base import GROUP, VERSION, Model
from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Revision
from seatrial.api.rule import Rule
from seatrial.api.rules import rules_of

Schema = dict[str, Any]

_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "anyOf",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
)
_HEADER = "# Generated from the models by `python -m seatrial.api.crd`: edit those, not this file.\n"
_CHART = Path(__file__).parents[3] / "charts" / "seatrial" / "files" / "crds"


@dataclass(frozen=True)
class Resource:
    """What a CRD says beside its schema."""

    model: type[Model]
    plural: str
    short: str
    columns: tuple[Mapping[str, object], ...]
    user_written: bool
    scale: Mapping[str, str] | None = None

    @property
    def kind(self) -> str:
        """Name of the kind: the model's."""
        return self.model.__name__

    @property
    def file(self) -> str:
        """Name of the file in the chart."""
        return f"{self.plural}.yaml"


def _column(name: str, path: str, kind: str = "string", *, about: str, wide: bool = False) -> dict[str, object]:
    column: dict[str, object] = {"name": name, "type": kind, "jsonPath": path, "description": about}
    return column | ({"priority": 1} if wide else {})


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_AGE = _column("Age", ".metadata.creationTimestamp", "date", about="Time since it was made.")

MESHSERVICES = Resource(
    model=MeshService,
    plural="meshservices",
    short="ms",
    user_written=True,
    scale={
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
    columns=(
        _column("Phase", ".status.phase", about="Where the rollout stands; Ready: the stable revision serves."),
        _column("Stable", ".status.stableRevision", "integer", about="Number of the revision that was promoted."),
        _column("Canary", ".status.canaryRevision", "integer", about="Number of the revision on its way."),
        _column("Weight", ".status.weight.verified", "integer", about="Percent of requests it gets, verified."),
        _column("Pods", ".status.readyReplicas", "integer", about="Ready pods of all revisions."),
        _AGE,
        _column("Log", ".status.brief", about="What the rollout waits for, or why the last one ended."),
        _column("Ready", _condition("Ready", "status"), about="Whether it serves.", wide=True),
        _column("Wanted", ".status.weight.wanted", "integer", about="Percent of requests asked for.", wide=True),
        _column("Accepted", _condition("Accepted", "reason"), about="Why the spec is (not) used.", wide=True),
        _column("URL", ".status.url", about="Where it is on the ingress gateway.", wide=True),
    ),
)
REVISIONS = Resource(
    model=Revision,
    plural="revisions",
    short="rev",
    user_written=False,
    columns=(
        _column("Role", ".status.role", about="Stable, Canary or Kept."),
        _column("Phase", ".status.phase", about="Where its newest attempt stands."),
        _column("Weight", ".status.weight.verified", "integer", about="Percent of requests it gets, verified."),
        _column("Pods", ".status.readyReplicas", "integer", about="Ready pods."),
        _AGE,
        _column("Log", ".status.brief", about="What it waits for, or why it ended."),
        _column("Image", ".spec.template.image", about="The app container's image.", wide=True),
        _column("Message", ".status.message", about="What happened last, and why.", wide=True),
    ),
)
RESOURCES = (MESHSERVICES, REVISIONS)


def crd(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of a resource, as JSON data."""
    subresources: dict[str, Any] = {"status": {}}
    if resource.scale:
        subresources["scale"] = dict(resource.scale)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "seatrial", "app.kubernetes.io/part-of": "seatrial"},
            # An uninstall must not delete the definition: every object of it, and what they own, would go with it.
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short],
                "categories": ["seatrial"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": subresources,
                    "additionalPrinterColumns": [dict(c) for c in resource.columns],
                    "schema": {"openAPIV3Schema": schema(resource)},
                }
            ],
        },
    }


def schema(resource: Resource) -> Schema:
    """The structural schema of a resource's objects."""
    generated = resource.model.model_json_schema(by_alias=True)
    root = _Inliner(generated.pop("$defs"), user_written=resource.user_written).inline(generated)
    root["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    for field in ("spec", "status"):
        root["properties"][field].pop("default", None)
    root["required"] = ["spec"]
    return root


class _Inliner:
    """Translates pydantic's JSON schema into a structural one."""

    def __init__(self, definitions: dict[str, Schema], *, user_written: bool) -> None:
        self._definitions = definitions
        self._user_written = user_written

    def inline(self, given: Schema) -> Schema:
        """The same schema without references, in the words that a CRD knows."""
        given, optional = self._resolve(given)
        out: Schema = {key: given[key] for key in _KEPT if key in given}
        if "const" in given:
            out["enum"] = [given["const"]]
        if "properties" in given:
            out["properties"] = {name: self._property(name, p, given) for name, p in given["properties"].items()}
        elif "items" in given:
            out["items"] = self.inline(given["items"])
        elif given.get("type") == "object":
            out |= self._map(given)
        if self._user_written:
            out |= _validations(given.get("title", ""))
            if not optional and given.get("default") is not None:
                out["default"] = given["default"]
        return out

    def _resolve(self, given: Schema) -> tuple[Schema, bool]:
        """Follow a reference, and take the null out of an optional value; what is said at the reference wins."""
        optional = False
        given = dict(given)
        choices = [c for c in given.get("anyOf", []) if c != {"type": "null"}]
        if len(choices) == 1:
            del given["anyOf"]
            given, optional = choices[0] | given, True
        if "$ref" in given:
            given = self._definitions[given.pop("$ref").removeprefix("#/$defs/")] | given
        return given, optional

    def _property(self, name: str, given: Schema, parent: Schema) -> Schema:
        out = self.inline(given)
        nested = "$ref" in given and out.get("type") == "object"
        if self._user_written and nested and name not in parent.get("required", ()) and _has_default(out):
            out["default"] = {}
        return out

    def _map(self, given: Schema) -> Schema:
        values = given.get("additionalProperties") or next(iter(given.get("patternProperties", {}).values()), False)
        if values is True:
            return {"x-kubernetes-preserve-unknown-fields": True}
        return {"additionalProperties": self.inline(values)} if values else {}


def _has_default(out: Schema) -> bool:
    return any("default" in p for p in out.get("properties", {}).values())


def _validations(model: str) -> Schema:
    rules = [_validation(r) for r in rules_of(model)]
    return {"x-kubernetes-validations": rules} if rules else {}


def _validation(rule: Rule) -> dict[str, str]:
    out = {"rule": rule.cel, "message": rule.text("the value")}
    if rule.shown_cel:
        # format, not +: the API server can't bound the cost of a sum with string(x), and refuses it
        out["messageExpression"] = f"{_quoted(rule.text('%s'))}.format([{rule.shown_cel}])"
    if rule.field and not rule.field.startswith("metadata"):
        out["fieldPath"] = "." + rule.field
    return out


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Plain(yaml.SafeDumper):
    """Writes what is there twice twice: an alias would be shorter, and no one could read it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def text(resource: Resource) -> str:
    """The YAML file of a resource."""
    return _HEADER + yaml.dump(crd(resource), Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


def main(folder: Path = _CHART) -> None:
    """Write the files, and say which."""
    folder.mkdir(parents=True, exist_ok=True)
    for resource in RESOURCES:
        (folder / resource.file).write_text(text(resource), encoding="utf-8")
        sys.stdout.write(f"{folder / resource.file}\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
