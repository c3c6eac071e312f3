"""ConfigMaps that a template refers to: where they are named, and the names of the revision's copies instead.

Control asks `sources` what to copy when it freezes a revision, and the renderer points the pods at the copies: one
walk for both, so that neither can miss a place that the other knows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.api.revision import Revision, Template


@dataclass(frozen=True)
class Source:
    """A ConfigMap that a template names. It is `optional` where every place that names it says so."""

    name: str
    optional: bool


def sources(template: Template) -> tuple[Source, ...]:
    """All ConfigMaps of a template, each once, by name."""
    optional: dict[str, bool] = {}
    for source in template.env_from:
        if ref := source.config_map_ref:
            optional[ref.name] = optional.get(ref.name, True) and ref.optional
    for named in _references(template.pod_template.spec):
        name = named["name"]
        optional[name] = optional.get(name, True) and bool(named.get("optional", False))
    return tuple(Source(name, optional[name]) for name in sorted(optional))


def copies_of(revision: Revision) -> dict[str, str]:
    """Copy name by source name."""
    return {c.source: c.copy_name for c in revision.spec.configs}


def pointed_at(copies: Mapping[str, str], pod_spec: dict[str, Any], *, service: str) -> dict[str, Any]:
    """The pod spec with every ConfigMap replaced by its copy.

    One that was optional and missing when the revision was frozen stays missing for it: its name becomes one that
    nobody gives.
    """
    spec: dict[str, Any] = _copied(pod_spec)
    for named in _references(spec):
        name = named["name"]
        if name in copies:
            named["name"] = copies[name]
        elif named.get("optional"):
            named["name"] = f"{service}-{name}-absent"[:253]
    return spec


def _references(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every place of a pod spec that names a ConfigMap: the map that holds its ``name``."""
    for container in _maps(spec, "containers", "initContainers"):
        for source in _maps(container, "envFrom"):
            yield from _named(source, "configMapRef")
        for variable in _maps(container, "env"):
            yield from _named(variable.get("valueFrom"), "configMapKeyRef")
    for volume in _maps(spec, "volumes"):
        yield from _named(volume, "configMap")
        for projected in _maps(volume.get("projected"), "sources"):
            yield from _named(projected, "configMap")


def _maps(holder: Any, *keys: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 # a user's podTemplate may hold anything
    if isinstance(holder, Mapping):
        for key in keys:
            items = holder.get(key)
            yield from (i for i in items if isinstance(i, dict)) if isinstance(items, list) else ()


def _named(holder: Any, key: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 # likewise
    named = holder.get(key) if isinstance(holder, Mapping) else None
    if isinstance(named, dict) and isinstance(named.get("name"), str):
        yield named


def _copied(value: Any) -> Any:  # noqa: ANN401 # JSON has no narrower type
    if isinstance(value, Mapping):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value
