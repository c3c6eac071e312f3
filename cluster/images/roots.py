"""Debian root file systems, as tar files in the cache: what images stand on where no base image can be pulled."""

import os
import platform
import shlex
import shutil
import tarfile
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
        return content_key(repr(self._roots[name]), repr(_LEFT_OUT), platform.machine())

    def built(self) -> bool:
        """Tell whether all are there."""
        return all(self.tar(name).is_file() for name in self._roots)

    def build(self, progress: Progress) -> None:
        """Make those that are missing, in the manifest's order."""
        with exclusive("roots"):
            for name, root in self._roots.items():
                if not self.tar(name).is_file():
                    progress.say(f"root file system {name}: Debian {root.suite}")
                    self._build(name, root, progress)

    def _build(self, name: str, root: Root, progress: Progress) -> None:
        _need_mmdebstrap(progress)
        target = self.tar(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        making = target.with_suffix(".making.tar")
        argv = ["mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io", f"--include={','.join(root.packages)}"]
        argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
        if root.remove:
            argv.append(f"--customize-hook={_removal(root)}")
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
    return f"rm -f {' '.join(patterns)}"


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
