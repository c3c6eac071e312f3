"""Writing container images as an archive, file by file, so that making them needs neither a build nor a registry.

The format is Docker's (`manifest.json`, a configuration and layers for each image): `docker load` and containerd's
`ctr images import` both read it. Layers only ever add files. Times are zero and owners root, so the same input makes
the same image.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

_BLOCK = 512
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class File:
    """A file of a layer: what a path of this machine holds, or a text, or a link to `link`."""

    path: str
    mode: int = 0o644
    source: Path | None = None
    text: str = ""
    link: str | None = None


@dataclass(frozen=True)
class Layer:
    """A layer that is in the archive: its name there and the digest of its content."""

    name: str
    digest: str


class Archive:
    """An archive being written; it is whole when the `with` block ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._images: list[dict[str, Any]] = []
        self._layers = 0

    def __enter__(self) -> Self:
        self._out = self._path.open("w+b")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._add("manifest.json", json.dumps(self._images).encode())
            self._out.write(bytes(2 * _BLOCK))
        self._out.close()

    def layer_of(self, files: Iterable[File]) -> Layer:
        """Add a layer made of files."""
        with _Member(self._out, self._next()) as member, tarfile.open(fileobj=member, mode="w|") as layer:
            for file in files:
                _write_file(layer, file)
        return member.layer

    def layer_from(self, tar: Path) -> Layer:
        """Add a layer that is a tar file already."""
        with _Member(self._out, self._next()) as member, tar.open("rb") as content:
            while chunk := content.read(1 << 20):
                member.write(chunk)
        return member.layer

    def image(self, name: str, layers: Iterable[Layer], config: Mapping[str, Any]) -> None:
        """Add an image made of layers that are in the archive; `config` is what an image configuration calls so."""
        layers = list(layers)
        machine = platform.machine()
        content = json.dumps(
            {
                "architecture": _ARCHITECTURES.get(machine, machine),
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "seatrial"} for _ in layers],
            }
        ).encode()
        file = f"{hashlib.sha256(content).hexdigest()}.json"
        if not any(image["Config"] == file for image in self._images):
            self._add(file, content)
        self._images.append({"Config": file, "RepoTags": [name], "Layers": [layer.name for layer in layers]})

    def _next(self) -> str:
        self._layers += 1
        return f"layer-{self._layers}.tar"

    def _add(self, name: str, content: bytes) -> None:
        with _Member(self._out, name) as member:
            member.write(content)


class _Member(io.RawIOBase):
    """A member of a tar file whose size is known only when it has been written."""

    layer: Layer

    def __init__(self, out: IO[bytes], name: str) -> None:
        self._out = out
        self._name = name
        self._hash = hashlib.sha256()
        self._size = 0
        self._start = out.tell()
        out.write(bytes(_BLOCK))

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:  # noqa: ANN401 - any buffer, as the base class has it
        self._hash.update(chunk)
        self._size += len(chunk)
        return self._out.write(chunk)

    def close(self) -> None:
        if self.closed:
            return
        self._out.write(bytes(-self._size % _BLOCK))
        end = self._out.tell()
        header = tarfile.TarInfo(self._name)
        header.size = self._size
        self._out.seek(self._start)
        self._out.write(header.tobuf(tarfile.GNU_FORMAT))
        self._out.seek(end)
        self.layer = Layer(self._name, f"sha256:{self._hash.hexdigest()}")
        super().close()


def _write_file(layer: tarfile.TarFile, file: File) -> None:
    info = tarfile.TarInfo(file.path.lstrip("/"))
    info.mode = file.mode
    if file.link is not None:
        info.type = tarfile.SYMTYPE
        info.linkname = file.link
        layer.addfile(info)
    elif file.source is not None:
        info.size = file.source.stat().st_size
        with file.source.open("rb") as content:
            layer.addfile(info, content)
    else:
        info.size = len(file.text.encode())
        layer.addfile(info, io.BytesIO(file.text.encode()))
