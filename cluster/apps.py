"""Our own images: the operator and the shop's services, built on this machine and named by what they are made of.

A tag is the content of everything that goes in, base image included. So the same code is never built twice, a changed
one is always a new image, and Kubernetes never runs an old one under a new name.
"""

import configparser
import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cluster.cache import content_key
from cluster.commands import Failure, Progress, command, probe
from cluster.images import images_loaded, load_images
from cluster.steps import Step

ROOT = Path(__file__).parents[1]
PYTHON_IMAGE = "seatrial/python:3.13"
_BUNDLES = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout", "retries")
_KEPT_BUILDS = 3
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class App:
    """An image of ours. `sources` is all that its Dockerfile copies; `arguments` are what it is told."""

    name: str
    dockerfile: str
    sources: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...] = ()

    @cached_property
    def tag(self) -> str:
        """Name the content: what is copied, how, and onto what."""
        return content_key(_image_id(PYTHON_IMAGE), *(ROOT / source for source in (self.dockerfile, *self.sources)))

    @property
    def image(self) -> str:
        """The image's full name."""
        return f"seatrial/{self.name}:{self.tag}"


def operator() -> App:
    """The operator, its janitor and the CLI."""
    sources = ("operator/seatrial", "pyproject.toml", "requirements/backend.txt", "requirements/operator.txt")
    return App("operator", "operator/Dockerfile", sources)


def services() -> tuple[App, ...]:
    """The services of the shop: every folder of `services/` that is a service."""
    folders = sorted(path for path in (ROOT / "services").iterdir() if (path / "__init__.py").is_file())
    return tuple(service(folder.name) for folder in folders if folder.name != "chassis")


def service(name: str) -> App:
    """One service of the shop. All have one tag, which the chart takes, so it names them all."""
    return App(name, "services/Dockerfile", ("requirements/shop.txt", "services"), arguments=(("SERVICE", name),))


def build_step(app: App) -> Step:
    """Build an image unless Docker has it."""
    return Step(f"Build {app.image}", lambda progress: build(app, progress), lambda: _image_id(app.image) != "")


def load_step(names: Sequence[str]) -> Step:
    """Bring images into the node."""
    return Step(
        f"Load {', '.join(name.partition(':')[0].rpartition('/')[2] for name in names)} into the node",
        lambda progress: _load(names, progress),
        lambda: images_loaded(names),
    )


def _load(names: Sequence[str], progress: Progress) -> None:
    load_images(names, progress)


def build(app: App, progress: Progress) -> None:
    """Build an image. pip runs in the host's network, with the host's package index and certificates."""
    base = _build_image(progress)
    arguments = {**dict(app.arguments), "PYTHON_IMAGE": PYTHON_IMAGE, "BUILD_IMAGE": base}
    argv: list[str | Path] = ["docker", "build", "--network", "host", "-f", app.dockerfile, "-t", app.image]
    for name, value in arguments.items():
        argv += ["--build-arg", f"{name}={value}"]
    for name in _PROXIES:
        if os.environ.get(name) or os.environ.get(name.upper()):
            argv += ["--build-arg", name if os.environ.get(name) else name.upper()]
    command([*argv, "."], cwd=ROOT, env=_builder(), progress=progress, on_line=lambda line: _advance(line, progress))
    command(["docker", "tag", app.image, f"seatrial/{app.name}:dev"])
    _drop_old(app)


def _drop_old(app: App) -> None:
    """Keep the newest builds only; what runs on the node is the node's own copy."""
    found = command(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"seatrial/{app.name}"]).split()
    old = [image for image in found if not image.endswith(":dev")][_KEPT_BUILDS:]  # listed newest first
    if old:
        command(["docker", "image", "rm", *old])


def _advance(line: str, progress: Progress) -> None:
    words = line.split()
    if len(words) > 1 and words[0] == "Step" and "/" in words[1]:  # the classic builder's "Step 3/12 : RUN …"
        done, _, total = words[1].partition("/")
        progress.advance(int(done) - 1, int(total))


def _builder() -> dict[str, str]:
    """Choose the classic builder where BuildKit's plugin isn't installed."""
    return {} if probe(["docker", "buildx", "version"]) is not None else {"DOCKER_BUILDKIT": "0"}


def _build_image(progress: Progress) -> str:
    """Give the image in which pip runs: the base, which trusts what this host trusts and asks the same index.

    Only packages are copied from it, so neither certificates nor addresses of this host get into our images.
    """
    base = _image_id(PYTHON_IMAGE)
    if not base:
        raise Failure(f"Docker has no image {PYTHON_IMAGE}", "make cluster-up")
    files = {"pip.conf": pip_settings(_pip_config()).encode(), "ca-certificates.crt": _certificates()}
    name = f"seatrial/python-build:{content_key(base, *files.values())}"
    if not _image_id(name):
        dockerfile = (
            f"FROM {PYTHON_IMAGE}\n"
            "COPY pip.conf /etc/pip.conf\n"
            "COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt\n"
            "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_ROOT_USER_ACTION=ignore\n"
        )
        context = _archive({"Dockerfile": dockerfile.encode(), **files})
        command(["docker", "build", "-t", name, "-"], input=context, env=_builder(), progress=progress)
    return name


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _certificates() -> bytes:
    chosen = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    candidates = (Path(chosen), *_BUNDLES) if chosen else _BUNDLES
    bundle = next((path for path in candidates if path.is_file()), None)
    if bundle is None:
        raise Failure("this host has no CA certificates", "apt-get install ca-certificates, or set SSL_CERT_FILE")
    return bundle.read_bytes()


def _pip_config() -> str:
    return command(["python", "-m", "pip", "config", "list"])


def pip_settings(listing: str) -> str:
    """Turn what `pip config list` says into a pip.conf; the environment wins over files, as it does for pip."""
    found: dict[str, str] = {}
    for line in sorted(listing.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        setting = name.rpartition(".")[2]
        if setting in _PIP_SETTINGS:
            found[setting] = value.strip("'\"")
    config = configparser.RawConfigParser()  # as pip reads it
    config["global"] = dict(sorted(found.items()))
    text = io.StringIO()
    config.write(text)
    return text.getvalue()


def _image_id(name: str) -> str:
    return (probe(["docker", "image", "inspect", "--format", "{{.Id}}", name]) or "").strip()
