"""Who may talk to whom, and how the callee knows who it is."""

from dataclasses import dataclass
from typing import Any

import pytest

from support.asking import Answer, Inside, Request
from support.kubectl import Kubectl
from support.place import Place
from support.services import Service
from support.shop import Shop
from support.waiting import eventually

IDENTITY = "http://callee/v1/identity"

# Whether a server answers what we say: Postgres a request for TLS, NATS a PING. A proxy decides about a connection when
# its client says the first byte, so the greeting of a server that speaks first is heard by everybody in the mesh.
KNOCK = """
import socket, sys
host, port, said, answer = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), sys.argv[4].encode()
heard = b""
try:
    with socket.create_connection((host, port), timeout=5) as server:
        server.sendall(said)
        while answer not in heard:
            more = server.recv(4096)
            if not more:
                break
            heard += more
except OSError as error:
    print("cut off:", error)
print("let in" if answer in heard else "refused")
"""
POSTGRES = ("5432", "0000000804d2162f", "N")
NATS = ("4222", b'CONNECT {"verbose":false}\r\nPING\r\n'.hex(), "PONG")


@dataclass(frozen=True)
class Company:
    """A callee, a caller that may and does, one that isn't let in, and one that didn't say that it calls it.

    The last is called as a service of the shop, and says that it calls the shop's servers.
    """

    callee: Service
    caller: Service
    stranger: Service
    silent: Service

    def inside(self, service: Service) -> Inside:
        """Requests from its pod."""
        return Inside(service.kubectl, service.pod())


@pytest.fixture(scope="module")
def company(shared: Place) -> Company:
    calls = {"calls": [{"service": "callee"}]}
    callers = [{"service": "caller", "methods": ["GET"], "paths": ["/v1/*"]}, {"service": "orders"}]
    servers = [{"service": name, "namespace": "shop"} for name in ("postgres", "nats")]
    made = Company(
        callee=shared.catalog("callee", exposed=False, security={"callers": callers}),
        caller=shared.service("caller", exposed=False, security=calls),
        stranger=shared.service("stranger", exposed=False, security=calls),
        silent=shared.service("orders", exposed=False, security={"calls": servers}),
    )
    everyone = (made.callee, made.caller, made.stranger, made.silent)
    for service in everyone:
        service.apply()
    for service in everyone:
        service.await_ready()
    first = made.inside(made.caller)
    eventually(lambda: first.ask(Request(IDENTITY)).status == 200, within=20, what="the caller is answered")
    return made


def test_the_callee_sees_the_spiffe_identity_of_its_caller(company: Company) -> None:
    answer = company.inside(company.caller).ask(Request(IDENTITY))
    assert answer.status == 200
    assert answer.json()["caller"] == f"spiffe://cluster.local/ns/{company.caller.namespace}/sa/caller"


def test_an_identity_that_is_claimed_in_a_header_is_not_believed(company: Company) -> None:
    claimed = {"x-forwarded-client-cert": f"URI=spiffe://cluster.local/ns/{company.caller.namespace}/sa/admin"}
    answer = company.inside(company.caller).ask(Request(IDENTITY, headers=claimed))
    assert answer.json()["caller"] == f"spiffe://cluster.local/ns/{company.caller.namespace}/sa/caller"


def test_a_caller_that_is_not_allowed_gets_403(company: Company) -> None:
    answer = company.inside(company.stranger).ask(Request(IDENTITY))
    assert answer.status == 403, answer
    assert not answer.served_by, "the service itself must not see the request"


def test_a_caller_that_is_not_allowed_is_told_which_half_is_missing(company: Company) -> None:
    resolved = company.stranger.condition("ResolvedRefs")
    assert resolved["status"] == "False"
    assert "add `{service: stranger}` to spec.security.callers of callee" in resolved["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/identity"), ("GET", "/livez")], ids=["another method", "another path"]
)
def test_an_allowed_caller_may_do_only_what_was_allowed(company: Company, method: str, path: str) -> None:
    answer = company.inside(company.caller).ask(Request(f"http://callee{path}", method))
    assert answer.status == 403, answer


def test_a_call_that_was_not_declared_is_not_routed(company: Company) -> None:
    _is_not_routed(company.inside(company.silent).ask(Request(IDENTITY)))
    resolved = company.callee.condition("ResolvedRefs")
    assert "orders doesn't call callee" in resolved["message"]


def test_a_host_outside_that_was_not_declared_is_not_reached(company: Company) -> None:
    _is_not_routed(company.inside(company.caller).ask(Request("http://istiod.istio-system:15014/version")))


def test_the_edge_does_not_reach_what_is_not_exposed(company: Company, shared: Place) -> None:
    assert shared.edge.get("/v1/identity").status == 404


@pytest.mark.parametrize(("server", "knock"), [("postgres", POSTGRES), ("nats", NATS)])
def test_an_identity_that_is_not_named_gets_no_word_from(
    company: Company, kubectl: Kubectl, server: str, knock: tuple[str, str, str]
) -> None:
    """Another namespace's orders: the name alone is no identity."""
    shop = Shop(kubectl.within("shop"))
    assert shop.kubectl.exec(shop.pod("orders"), "python3", "-c", KNOCK, server, *knock).strip() == "let in"
    stranger = company.silent
    said = stranger.kubectl.exec(stranger.pod(), "python3", "-c", KNOCK, f"{server}.shop", *knock)
    assert "let in" not in said, said


def test_plain_text_from_a_pod_without_a_sidecar_is_refused(company: Company, shared: Place) -> None:
    outsider = _pod_without_sidecar(shared.kubectl, shared.image)
    callee = company.callee.pods(1)[0]["status"]["podIP"]
    for url in ("http://callee/v1/identity", f"http://{callee}:8080/v1/identity"):
        answer = outsider.ask(Request(url, timeout=5))
        assert answer.status == 0, answer
        assert "Reset" in answer.body or "RemoteDisconnected" in answer.body, answer


def _is_not_routed(answer: Answer) -> None:
    """The caller's own proxy ends it: by 502 where it has other routes on that port, else by closing the connection."""
    assert answer.status in {0, 502}, answer
    assert not answer.served_by


def _pod_without_sidecar(kubectl: Kubectl, image: str) -> Inside:
    secured: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    idle = {"name": "app", "image": image, "command": ["python3", "-c", "import signal; signal.pause()"]}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "outsider",
                "namespace": kubectl.namespace,
                "labels": {"sidecar.istio.io/inject": "false"},
            },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [idle | {"securityContext": secured}],
            },
        }
    )
    kubectl("wait", "pod", "outsider", "--for=condition=Ready", "--timeout=40s")
    assert len(kubectl.the("pod", "outsider")["spec"]["containers"]) == 1
    return Inside(kubectl, "outsider")
