"""Debian root file systems, as tar files in the cache: what images stand on where no base image can be pulled."""

import os
import platform
import shlex
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

from cluster.cache import cache_root, content_key, exclusive
from cluster.commands import Failure, Progress, command
from cluster.images.manifest import Manifest, Root

_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"


class Roots:
    """The root file systems of a manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._roots = manifest.roots

    def tar(self, name: str) -> Path:
        """Tell where a root file system is, or will be."""
        return cache_root() / "roots" / f"{name}-{self.key(name)}.tar"

    def key(self, name: str) -> str:
        """Name what a root file system is made from."""
        root = self._roots[name]
        variant = () if root.variant == "minbase" else (root.variant,)
        return content_key(repr(root), repr(_LEFT_OUT), platform.machine(), *variant)

    def built(self, names: Iterable[str]) -> bool:
        """Tell whether all these are there."""
        return all(self.tar(name).is_file() for name in names)

    def build(self, names: Iterable[str], progress: Progress) -> None:
        """Make those of `names` that are missing; a root whose keys verify another one comes before it."""
        with exclusive("roots"):
            for name in names:
                if not self.tar(name).is_file():
                    progress.say(f"root file system {name}: Debian {self._roots[name].suite}")
                    self._build(name, self._roots[name], progress)

    def _build(self, name: str, root: Root, progress: Progress) -> None:
        _need_mmdebstrap(progress)
        target = self.tar(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        making = target.with_suffix(".making.tar")
        argv = [
            "mmdebstrap",
            f"--variant={root.variant}",
            "--dpkgopt=force-unsafe-io",
            f"--include={','.join(root.packages)}",
        ]
        argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
        if root.remove:
            when = "extract" if root.variant == "extract" else "customize"  # after the last package has come
            argv.append(f"--{when}-hook={_removal(root)}")
        if root.keyring:
            argv.append(f"--keyring={self._keys_of(root.keyring)}")
        command([*argv, root.suite, making], progress=progress)
        making.replace(target)

    def _keys_of(self, name: str) -> Path:
        keys = cache_root() / "roots" / f"{name}-{self.key(name)}.gpg"
        if not keys.is_file():
            with tarfile.open(self.tar(name)) as tar:
                member = tar.extractfile(f"./{_KEYRING}")
                if member is None:
                    raise Failure(f"the root file system {name} has no keys of Debian", "make clean-all cluster-up")
                keys.write_bytes(member.read())
        return keys


def _removal(root: Root) -> str:
    """Write a hook that removes what the patterns match; the shell expands them in the new root ($1)."""
    patterns = [f'"$1"{pattern}' for pattern in root.remove]
    return f"rm -rf {' '.join(patterns)}"


def _need_mmdebstrap(progress: Progress) -> None:
    if shutil.which("mmdebstrap"):
        return
    packages = ["mmdebstrap", "debian-archive-keyring"]
    if shutil.which("apt-get") is None:
        raise Failure("mmdebstrap is not installed, and this is no Debian", "install mmdebstrap, or use IMAGES=pull")
    if os.geteuid() != 0:
        raise Failure("mmdebstrap is not installed", f"sudo apt-get install -y {shlex.join(packages)}")
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "-y"]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    command([*apt, "update"], progress=progress, env=env)
    command([*apt, "install", "--no-install-recommends", *packages], progress=progress, env=env)
