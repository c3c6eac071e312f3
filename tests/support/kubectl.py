"""kubectl, as the tests use it: what a user types. What is only looked at comes without it (`support.looking`).

Nothing here knows Seatrial. Every command has a time limit, and a failure raises what was said.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from support.looking import ClusterError, Looks, Object, looks

__all__ = ["CONTEXT", "Kubectl", "KubectlError", "Object"]

CONTEXT = "kind-seatrial"


class KubectlError(ClusterError):
    """kubectl ended with an error; the text is what it wrote."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl on the tests' cluster, in one namespace (empty: cluster-wide objects only)."""

    namespace: str = ""
    timeout: float = 60.0

    def within(self, namespace: str) -> Self:
        """The same in another namespace."""
        return replace(self, namespace=namespace)

    def argv(self, *args: str) -> list[str]:
        """The whole command line."""
        return ["kubectl", "--context", CONTEXT, *(["-n", self.namespace] if self.namespace else []), *args]

    def __call__(self, *args: str, input: str | None = None, timeout: float | None = None) -> str:  # noqa: A002
        """Run it and give its standard output; raises `KubectlError`."""
        limit = timeout or self.timeout
        try:
            done = subprocess.run(
                self.argv(*args), input=input, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise KubectlError(f"kubectl {' '.join(args)}: no answer within {limit:g} s") from late
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def get(self, kind: str, name: str) -> Object | None:
        """One object, or None where there is none of that name."""
        return self._looks.get(kind, self.namespace, name)

    def the(self, kind: str, name: str) -> Object:
        """One object that must be there."""
        found = self.get(kind, name)
        assert found is not None, f"there is no {kind} {name} in {self.namespace or 'the cluster'}"
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind, perhaps only those with some labels."""
        return self._looks.list(kind, self.namespace, selector)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply manifests as kubectl does for its users: on the client's side, with validation."""
        self("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def refusal(self, *objects: Mapping[str, Any]) -> str:
        """Apply what must be refused, and give what the user reads."""
        try:
            self.apply(*objects)
        except KubectlError as refused:
            return str(refused)
        raise AssertionError(f"nobody refused {json.dumps(objects)}")

    def patch(self, kind: str, name: str, change: Any) -> None:
        """Patch one object: a list is a JSON patch, anything else a merge patch."""
        how = "json" if isinstance(change, list) else "merge"
        self("patch", kind, name, "--type", how, "-p", json.dumps(change))

    def delete(self, kind: str, *names: str, options: Sequence[str] = ()) -> None:
        """Delete objects; without `options` it waits until they are gone. What isn't there is no error."""
        self("delete", kind, *names, "--ignore-not-found", *options)

    def exec(self, pod: str, *command: str, container: str = "app", input: str | None = None) -> str:  # noqa: A002
        """Run a command in a pod."""
        stdin = ["-i"] if input is not None else []
        return self("exec", *stdin, pod, "-c", container, "--", *command, input=input)

    def raw(self, path: str) -> str:
        """GET a path of the API server."""
        return self._looks.raw(path)

    @property
    def _looks(self) -> Looks:
        return looks(CONTEXT)
