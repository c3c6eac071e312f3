"""Calls to the API server over HTTP: what is sent, what comes back, and by which way."""

from typing import Any

import httpx2
import pytest
from lightkube.config.kubeconfig import KubeConfig
from lightkube.config.models import User

from seatrial.kube.client import Kube
from seatrial.kube.errors import Conflict, Unavailable
from seatrial.kube.kinds import CONFIG_MAP
from seatrial.kube.transport import Transport
from support.envoy import free_port
from support.stand_in import stand_in

ONE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "shop"}}


def to(url: str) -> Any:
    config = KubeConfig.from_server(url).get()
    assert config is not None
    return config._replace(user=User())


async def test_a_call_arrives_whole_and_so_does_its_answer() -> None:
    with stand_in(lambda asked: (200, asked.body | {"data": {"a": "b"}})) as server:
        kube = Kube(to(server.url))
        assert (await kube.create(ONE))["data"] == {"a": "b"}
        await kube.close()
    (asked,) = server.asked
    assert asked.method == "POST"
    assert asked.path == "/api/v1/namespaces/shop/configmaps?fieldManager=seatrial"
    assert asked.headers["content-type"] == "application/json"
    assert asked.body["metadata"]["name"] == "one"


async def test_what_the_server_refuses_is_a_failure_of_its_kind() -> None:
    said = {"kind": "Status", "status": "Failure", "code": 409, "reason": "Conflict", "message": "too late"}
    with stand_in(lambda _: (409, said)) as server:
        kube = Kube(to(server.url))
        with pytest.raises(Conflict, match="too late"):
            await kube.get(CONFIG_MAP, "one", "shop")
        await kube.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    kube = Kube(to(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Unavailable, match="the API server"):
        await kube.get(CONFIG_MAP, "one", "shop")
    await kube.close()


async def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with stand_in(lambda _: (200, {})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        transport = Transport(to(nobody))
        answer = await transport.handle_async_request(httpx2.Request("GET", f"{nobody}/livez"))
        await transport.aclose()
    assert answer.status_code == 200
    assert len(proxy.asked) == 1


async def test_no_proxy_is_asked_for_a_server_that_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with stand_in(lambda _: (200, {})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        transport = Transport(to(nobody))
        with pytest.raises(httpx2.TransportError):
            await transport.handle_async_request(httpx2.Request("GET", f"{nobody}/livez"))
        await transport.aclose()
    assert not proxy.asked
