"""Real pulls from a registry that the test starts: a machine that builds its images never does any by itself."""

import hashlib
import io
import json
import platform
import tarfile
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cluster.commands import Failure, command, probe
from cluster.images.lock import read_lock
from cluster.images.mode import Mode, from_registries
from cluster.images.pull import is_pulled, pull

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


class Quiet:
    """A step's progress that nobody sees."""

    def say(self, text: str) -> None:
        pass

    def advance(self, done: int, total: int) -> None:
        pass

    def tail(self, line: str) -> None:
        pass


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry(ThreadingHTTPServer):
    """As much of the OCI distribution protocol as a pull takes, over images that are pushed from here."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def push(self, tag: str, text: str) -> str:
        """Make an image of one file with this text, and give its digest."""
        layer = _layer(text.encode())
        config = json.dumps(
            {
                "architecture": _MACHINE,
                "os": "linux",
                "config": {"Cmd": ["/none"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._keep(_CONFIG, config),
            "layers": [self._keep(_LAYER, layer)],
        }
        kept = self._keep(_MANIFEST, json.dumps(manifest).encode())
        self.tags[tag] = str(kept["digest"])
        return self.tags[tag]

    def _keep(self, kind: str, content: bytes) -> dict[str, object]:
        self.blobs[digest(content)] = (kind, content)
        return {"mediaType": kind, "size": len(content), "digest": digest(content)}


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        *_, kind, reference = self.path.split("/")
        if self.path == "/v2/":
            self._answer(200, "application/json", b"{}")
            return
        if kind == "manifests":
            self.server.asked.append(reference)
            reference = self.server.tags.get(reference, reference)
        if reference in self.server.blobs:
            media, content = self.server.blobs[reference]
            self._answer(200, media, content, reference)
        else:
            self._answer(404, "application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, code: int, media: str, content: bytes, reference: str = "") -> None:
        self.send_response(code)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(content)))
        if reference:
            self.send_header("Docker-Content-Digest", reference)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


def _layer(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("text")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def reference(registry: Registry) -> Iterator[str]:
    wanted = f"{registry.name}/seatrial-test/pulled:v1"
    yield wanted
    _forget(wanted)


@pytest.fixture
def name() -> Iterator[str]:
    """What the image is called here; gone with everything of the test afterwards."""
    chosen = f"seatrial-test/pulled:{uuid.uuid4().hex[:12]}"
    yield chosen
    _forget(chosen)


def _forget(name: str) -> None:
    image = probe(["docker", "image", "inspect", "--format", "{{.Id}}", name])
    if image:
        command(["docker", "image", "rm", "--force", image.strip()])


def text_in(name: str) -> str:
    container = command(["docker", "create", name]).strip()
    try:
        return command(["docker", "cp", f"{container}:/text", "-"])
    finally:
        command(["docker", "rm", container])


def test_the_first_pull_locks_the_digest(registry: Registry, reference: str, name: str, tmp_path: Path) -> None:
    lock = tmp_path / "digests.lock"
    first = registry.push("v1", "first")
    assert not is_pulled(name, reference, lock)
    pull(name, reference, Quiet(), lock)
    assert read_lock(lock) == {reference: first}
    assert is_pulled(name, reference, lock)
    assert "first" in text_in(name)


def test_later_pulls_ask_for_the_digest_even_when_the_tag_has_moved(
    registry: Registry, reference: str, name: str, tmp_path: Path
) -> None:
    lock = tmp_path / "digests.lock"
    first = registry.push("v1", "first")
    pull(name, reference, Quiet(), lock)
    _forget(name)
    assert not is_pulled(name, reference, lock)
    registry.push("v1", "somebody moved the tag")
    registry.asked.clear()
    pull(name, reference, Quiet(), lock)
    assert set(registry.asked) <= {first}  # the engine may remember the manifest, and ask for its layers only
    assert "first" in text_in(name)


def test_a_locked_image_that_is_gone_is_a_failure_that_says_which_line_to_delete(
    registry: Registry, reference: str, name: str, tmp_path: Path
) -> None:
    lock = tmp_path / "digests.lock"
    registry.push("v1", "first")
    pull(name, reference, Quiet(), lock)
    _forget(name)
    registry.blobs.clear()
    with pytest.raises(Failure) as failure:
        pull(name, reference, Quiet(), lock)
    assert str(lock) in failure.value.remedy
    assert read_lock(lock)


def test_a_registry_that_answers_is_pulled_from_and_one_that_does_not_is_named(
    registry: Registry, reference: str, name: str
) -> None:
    registry.push("v1", "first")
    assert from_registries({registry.name: reference}).mode is Mode.PULL
    registry.tags.clear()
    refused = from_registries({registry.name: f"{registry.name}/seatrial-test/other:v1"})
    assert refused.mode is Mode.BUILD
    assert registry.name in refused.reason
