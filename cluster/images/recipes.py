"""From a recipe of the manifest to the files and the configuration of an image."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cluster.images.archive import File
from cluster.images.manifest import HERE, Build, Copy

Resolve = Callable[[str], Path]


def files_of(build: Build, resolve: Resolve) -> Iterator[File]:
    """List the files a recipe adds to its root; `resolve` tells where a source is on this machine."""
    for copy in build.copy:
        for source in copy.sources:
            yield from _copied(copy, source, resolve(source))
    for path, target in build.link.items():
        yield File(path, 0o777, link=target)
    for path, text in build.write.items():
        yield File(path, text=text)


def _copied(copy: Copy, name: str, source: Path) -> Iterator[File]:
    if source.is_dir():
        for file in sorted(source.rglob("*")):
            if file.is_file():
                yield File(f"{copy.to}{file.relative_to(source).as_posix()}", copy.mode, source=file)
    elif copy.to.endswith("/"):
        yield File(f"{copy.to}{name.rpartition(':')[2].rpartition('/')[2]}", copy.mode, source=source)
    else:
        yield File(copy.to, copy.mode, source=source)


def config_of(build: Build, labels: dict[str, str]) -> dict[str, Any]:
    """Write a recipe's settings as an image configuration has them."""
    path = {} if "PATH" in build.env else {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    env = {**path, **build.env}
    config: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Entrypoint": list(build.entrypoint) or None,
        "Cmd": list(build.command) or None,
        "User": build.user,
        "WorkingDir": build.workdir,
        "StopSignal": build.stop_signal,
        "Labels": labels,
    }
    return {key: value for key, value in config.items() if value}


class Sources:
    """Where the sources that recipes name are on this machine, by the kind of source."""

    def __init__(self, *, tool: Resolve, wheel: Resolve, module: Resolve) -> None:
        self._kinds = {"tool": tool, "wheel": wheel, "module": module}

    def __call__(self, source: str) -> Path:
        """Find `KIND:NAME` or `KIND:NAME:PATH`."""
        kind, _, rest = source.partition(":")
        if kind == "file":
            return HERE / rest
        name, _, inner = rest.partition(":")
        return self._kinds[kind](name) / inner if inner else self._kinds[kind](name)
