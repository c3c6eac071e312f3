"""A control plane of its own: etcd, kube-apiserver and kube-controller-manager as processes of this machine.

They are the very programs of the cluster's node, and know the same custom resources. There is no node: no kubelet, no
scheduler, no Istio. What is measured here is what Seatrial costs an API server, and what an API server costs Seatrial.
"""

import secrets
import shutil
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from support.envoy import free_port
from support.kubectl import CONTEXT
from support.machine import cpu_seconds
from support.node import NODE
from support.operators import SYSTEM
from support.waiting import eventually

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "charts" / "seatrial" / "files" / "crds"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
WITHOUT = ("endpoints-controller", "endpointslice-controller")  # pods' addresses are of loopback: nobody may list them
NAMESPACES = (SYSTEM, "istio-system")
_PROGRAM = 'for p in /proc/[0-9]*; do test "$(readlink $p/exe)" = "/usr/local/bin/$1" && exec cat $p/exe; done; exit 1'


class ControlPlane:
    """Runs while the block lasts, in an empty `folder`; who reads `kubeconfig` finds it under the usual context."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig.yaml"
        self._folder = folder
        self._programs = folder.parent / "programs"
        self._pids: dict[str, int] = {}
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with ExitStack() as ending:
            self._start(ending)
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    @property
    def cpu(self) -> dict[str, float]:
        """Seconds of processor time that each program took so far."""
        return {program: cpu_seconds(pid) for program, pid in self._pids.items()}

    def kubectl(self, *args: str, given: str | None = None) -> str:
        """Run kubectl on it; an AssertionError says what it said."""
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), *args]
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr or done.stdout}"
        return done.stdout

    def _start(self, ending: ExitStack) -> None:
        store, peers, port = free_port(), free_port(), free_port()
        accounts, certificates = self._folder / "accounts.key", self._folder / "certificates"
        subprocess.run(["openssl", "genrsa", "-out", accounts, "2048"], capture_output=True, check=True)
        self._let_in(port)
        etcd = {
            "data-dir": self._folder / "etcd",
            "listen-client-urls": f"http://127.0.0.1:{store}",
            "advertise-client-urls": f"http://127.0.0.1:{store}",
            "listen-peer-urls": f"http://127.0.0.1:{peers}",
            "initial-advertise-peer-urls": f"http://127.0.0.1:{peers}",
            "initial-cluster": f"default=http://127.0.0.1:{peers}",
            "log-level": "error",
        }
        server = {
            "etcd-servers": f"http://127.0.0.1:{store}",
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "cert-dir": certificates,
            "token-auth-file": self._folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "endpoint-reconciler-type": "none",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": accounts,
            "service-account-signing-key-file": accounts,
        }
        controllers = {
            "kubeconfig": self.kubeconfig,
            "bind-address": "127.0.0.1",
            "secure-port": free_port(),
            "cert-dir": certificates,
            "leader-elect": "false",
            "controllers": ",".join(("*", *(f"-{name}" for name in WITHOUT))),
            "service-account-private-key-file": accounts,
        }
        self._run(ending, "etcd", etcd)
        self._run(ending, "kube-apiserver", server)
        eventually(lambda: self.kubectl("get", "--raw", "/readyz") == "ok", within=90, what="the API server is ready")
        self._run(ending, "kube-controller-manager", controllers)
        self._introduce()

    def _introduce(self) -> None:
        """The custom resources of Istio and of Seatrial, and the namespaces that both are at home in."""
        istio = subprocess.run(
            ["istioctl", "manifest", "generate"], capture_output=True, text=True, check=True, timeout=120
        )
        found = [d for d in yaml.safe_load_all(istio.stdout) if d and d["kind"] == "CustomResourceDefinition"]
        self.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(found))
        self.kubectl("apply", "--server-side", "-f", str(CRDS))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=90s")
        for name in NAMESPACES:
            self.kubectl("create", "namespace", name)
            account = partial(self.kubectl, "get", "serviceaccount", "default", "-n", name)
            eventually(account, within=60, what=f"namespace {name} has its account")

    def _let_in(self, port: int) -> None:
        """One user, who may do everything."""
        token = secrets.token_hex(16)
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{token},bench,bench,system:masters\n")
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": CONTEXT,
                    "cluster": {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True},
                }
            ],
            "users": [{"name": CONTEXT, "user": {"token": token}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
            "current-context": CONTEXT,
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))
        for secret in (tokens, self.kubeconfig):
            secret.chmod(0o600)

    def _run(self, ending: ExitStack, program: str, flags: dict[str, object]) -> None:
        log = ending.enter_context((self._folder / f"{program}.log").open("wb"))
        argv = [str(self._program(program)), *(f"--{name}={value}" for name, value in flags.items())]
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)  # Ctrl-C ends the run first
        self._pids[program] = process.pid
        ending.callback(process.wait, timeout=30)
        ending.callback(process.terminate)

    def _program(self, name: str) -> Path:
        """A copy of what runs in the node."""
        path = self._programs / name
        if not path.exists():
            self._programs.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            with unfinished.open("wb") as copy:
                argv = ["docker", "exec", NODE, "sh", "-c", _PROGRAM, "sh", name]
                subprocess.run(argv, stdout=copy, check=True, timeout=120)
            unfinished.chmod(0o755)
            unfinished.rename(path)
        return path
