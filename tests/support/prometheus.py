"""A real Prometheus for tests: its programs, a process on loopback, and a page of counters that it scrapes.

The programs are those on PATH, or on Debian and Ubuntu the distribution's package, unpacked into the cache without
being installed: anybody who may read the package lists can do that. Elsewhere the tests that need them are skipped.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from cluster.cache import cache_root, exclusive, fresh_folder
from support.waiting import eventually

PACKAGE = "prometheus"
PROGRAMS = ("prometheus", "promtool")
SCRAPE_EVERY = "250ms"


class _Absent(Exception):  # noqa: N818 # named for what happened
    """There are no programs, for a reason."""


def program(name: str) -> Path:
    """The path of prometheus or promtool; skips the test where there is none."""
    try:
        return _folder() / name
    except _Absent as reason:
        pytest.skip(f"there is no {name}: {reason}")


@cache
def _folder() -> Path:
    found = [shutil.which(name) for name in PROGRAMS]
    if found[0] and found[1] and Path(found[0]).parent == Path(found[1]).parent:
        return Path(found[0]).parent
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise _Absent("install Prometheus so that both its programs are on PATH")
    with exclusive(PACKAGE):
        options, digest = _offer()
        folder = cache_root() / PACKAGE / digest[:12]
        if not folder.is_dir():
            with fresh_folder(folder) as making:
                _unpack(options, making)
        return folder


def _offer() -> tuple[list[str], str]:
    """Options with which apt-get knows the package, lists of our own if need be, and the package's SHA-256."""
    lists, archives = cache_root() / "apt" / "lists", cache_root() / "apt" / "archives"
    own = [f"-oDir::State::Lists={lists}", f"-oDir::Cache={archives.parent}"]
    for folder in (lists, archives):
        (folder / "partial").mkdir(parents=True, exist_ok=True)
    for options, update in (([], False), (own, False), (own, True)):
        if update:
            _apt([*options, "update"])
        said = _apt([*options, "download", "--print-uris", PACKAGE], must=update)
        digests = [word.partition(":")[2] for word in said.split() if word.startswith("SHA256:")]
        if digests:
            return options, digests[0]
    raise _Absent(f"apt-get has no package {PACKAGE}")


def _unpack(options: list[str], folder: Path) -> None:
    _apt([*options, "-oAPT::Sandbox::User=root", "download", PACKAGE], cwd=folder)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True, capture_output=True, timeout=120)
    for name in PROGRAMS:
        (folder / "root" / "usr" / "bin" / name).rename(folder / name)
    shutil.rmtree(folder / "root")
    package.unlink()


def _apt(args: list[str], *, must: bool = True, cwd: Path | None = None) -> str:
    """Run apt-get, which checks what it downloads, and give what it says."""
    argv = ["apt-get", "-q", *args]
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise _Absent(f"`{' '.join(argv)}` did not end") from error
    if done.returncode and must:
        raise _Absent(f"`{' '.join(argv)}` says: {done.stderr.strip()[-200:]}")
    return done.stdout if not done.returncode else ""


@dataclass
class Exporter:
    """Pages of counters on loopback, one a target. A target in `down` answers 503."""

    targets: tuple[str, ...]
    down: set[str] = field(default_factory=set)
    _counters: dict[str, dict[tuple[str, frozenset[tuple[str, str]]], float]] = field(default_factory=dict)
    _changes: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, target: str, metric: str, count: float, **labels: str) -> None:
        """Let a counter grow."""
        with self._guard:
            of, key = self._counters.setdefault(target, {}), (metric, frozenset(labels.items()))
            of[key] = of.get(key, 0.0) + count
            self._changes += 1

    def drop(self, target: str, **labels: str) -> None:
        """Take the counters away that have all these labels, as a process does that begins anew."""
        with self._guard:
            of = self._counters.get(target, {})
            for key in [k for k in of if set(labels.items()) <= k[1]]:
                del of[key]
            self._changes += 1

    @property
    def changes(self) -> int:
        """How many there were; each page says that, too."""
        return self._changes

    def page(self, target: str) -> str:
        """The text that is scraped."""
        with self._guard:
            lines = [f"exporter_changes {self._changes}"]
            for (metric, labels), value in self._counters.get(target, {}).items():
                text = ",".join(f"{name}={json.dumps(v)}" for name, v in labels)
                lines.append(f"{metric}{{{text}}} {value:g}")
        return "\n".join([*lines, ""])

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """Serve while the block lasts; gives the port."""
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                target = self.path.strip("/")
                self.send_response(503 if target in exporter.down else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(exporter.page(target).encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the library has for it
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield server.server_port
            finally:
                server.shutdown()
                thread.join()


@dataclass
class RunningPrometheus:
    """A process that scrapes an exporter."""

    address: str
    exporter: Exporter

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        url = f"{self.address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def await_scrape(self) -> Self:
        """Wait until each target that is up was scraped after its last change."""
        changes, up = self.exporter.changes, set(self.exporter.targets) - self.exporter.down

        def has_all() -> bool:
            fresh = self.query(f"exporter_changes >= {changes}")
            down = {s["metric"]["target"] for s in self.query("up == 0")}
            return {s["metric"]["target"] for s in fresh} >= up and down == self.exporter.down

        eventually(has_all, within=20, every=0.05, what="Prometheus scraped what changed")
        return self


@contextlib.contextmanager
def running(
    folder: Path, instances: Mapping[str, str], *, down: frozenset[str] = frozenset()
) -> Iterator[RunningPrometheus]:
    """A Prometheus with its data in `folder`; `instances` has each target's label `instance`."""
    binary = program("prometheus")
    exporter = Exporter(tuple(instances), set(down))
    with exporter.serving() as port:
        jobs = [
            {
                "targets": [f"127.0.0.1:{port}"],
                "labels": {"__metrics_path__": f"/{target}", "instance": instance, "target": target},
            }
            for target, instance in instances.items()
        ]
        config = {
            "global": {"scrape_interval": SCRAPE_EVERY, "scrape_timeout": SCRAPE_EVERY},
            "scrape_configs": [{"job_name": "proxies", "static_configs": jobs}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        listen = f"127.0.0.1:{_free_port()}"
        options = {
            "config.file": folder / "prometheus.yml",
            "storage.tsdb.path": folder / "data",
            "web.listen-address": listen,
        }
        argv = [str(binary), *(f"--{name}={value}" for name, value in options.items())]
        log = folder / "prometheus.log"
        with log.open("wb") as output, _ending(argv, output) as process:
            prometheus = RunningPrometheus(f"http://{listen}", exporter)

            def is_ready() -> bool:
                assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
                try:
                    with urllib.request.urlopen(f"http://{listen}/-/ready", timeout=2) as answer:
                        return bool(answer.status == 200)
                except OSError:
                    return False

            eventually(is_ready, within=30, every=0.05, what="Prometheus is ready")
            yield prometheus.await_scrape()


@contextlib.contextmanager
def _ending(argv: list[str], output: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, stdout=output, stderr=output, env={**os.environ, "GOMAXPROCS": "1"})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
