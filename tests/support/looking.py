"""What the tests ask the API server for again and again, by requests of this process.

A kubectl costs a tenth of a second of CPU, which those who are waited for don't get; a request from here costs some
thousandths. Nothing is written here: that is done as a user does it, by `support.kubectl`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import KubeConfig

Object = dict[str, Any]

# All kinds by two requests, where clients of old make one for each group and version.
_ALL_KINDS = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class ClusterError(RuntimeError):
    """The API server, or kubectl for it, said no, or nothing; the text is what it said."""


@dataclass(frozen=True)
class Kind:
    """A kind of objects: where its objects are, and what they say of themselves."""

    name: str
    api_version: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Path of one object, or of all (empty namespace: of all namespaces)."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        within = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{within}/{self.plural}" + (f"/{name}" if name else "")


class Looks:
    """One API server. Every method raises `ClusterError` where it doesn't give what was asked for."""

    def __init__(self, context: str) -> None:
        config = KubeConfig.from_env().get(context)
        assert config is not None, f"no context {context} in the kubeconfig"
        parameters = client_adapter.ConnectionParams(timeout=httpx2.Timeout(60.0))
        self._http = client_adapter.Client(config, parameters)
        self._kinds: dict[str, Kind] = {}

    def close(self) -> None:
        """End the connections, where another API server is asked from now on."""
        self._http.close()

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None where there is none of that name."""
        answer = self._ask(self._kind(kind).path(namespace, name))
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        found: Object = _good(answer).json()
        return found

    def list(self, kinds: str, namespace: str, selector: str = "") -> list[Object]:
        """All objects of some kinds, perhaps only those with some labels."""
        found: list[Object] = []
        for kind in map(self._kind, kinds.split(",")):
            answer = _good(self._ask(kind.path(namespace), **({"labelSelector": selector} if selector else {})))
            own = {"apiVersion": kind.api_version, "kind": kind.name}  # a list says it once, for all
            found += [own | item for item in answer.json()["items"]]
        return found

    def raw(self, path: str) -> str:
        """What there is at a path."""
        return _good(self._ask(path)).text

    def refusal(self, manifest: Object, namespace: str) -> str:
        """What the API server says of an object that it mustn't take; empty where it would. Nothing is stored."""
        kind = self._kind(manifest["kind"].lower())
        asked = {"dryRun": "All", "fieldValidation": "Strict"}  # as kubectl asks
        answer = self._http.post(kind.path(namespace), params=asked, json=manifest)
        return "" if answer.is_success else str(answer.json()["message"])

    def _ask(self, path: str, **asked: str) -> httpx2.Response:
        """Look, and look again where a kept connection was at its end."""
        try:
            return self._http.get(path, params=asked or None)
        except httpx2.TransportError:
            try:
                return self._http.get(path, params=asked or None)
            except httpx2.TransportError as error:
                raise ClusterError(f"GET {path}: {error!r}") from error

    def _kind(self, name: str) -> Kind:
        """A kind by any of the names that kubectl knows it by."""
        if name not in self._kinds:
            for path in ("/apis", "/api"):  # the core's come last, and win
                self._kinds |= dict(_kinds(_good(self._http.get(path, headers={"accept": _ALL_KINDS})).json()))
        if name not in self._kinds:
            raise ClusterError(f"the API server knows no {name}")
        return self._kinds[name]


@cache
def looks(context: str) -> Looks:
    """The API server of a context."""
    return Looks(context)


def _kinds(answer: Object) -> Iterator[tuple[str, Kind]]:
    """Each kind by each of its names, the preferred version last, and groups that come first last."""
    for group in reversed(answer["items"]):
        for version in reversed(group["versions"]):
            named = group["metadata"].get("name", "")
            api_version = f"{named}/{version['version']}" if named else version["version"]
            for resource in reversed(version.get("resources", [])):
                plural, about = resource["resource"], resource["responseKind"]
                kind = Kind(about["kind"], api_version, plural, resource["scope"] == "Namespaced")
                names = {plural, resource["singularResource"], about["kind"].lower(), *resource.get("shortNames", [])}
                for name in names - {""}:
                    yield name, kind
                    if named:
                        yield f"{name}.{named}", kind


def _good(answer: httpx2.Response) -> httpx2.Response:
    if not answer.is_success:
        raise ClusterError(f"GET {answer.url}: {answer.status_code} {answer.text.strip()[:2000]}")
    return answer
