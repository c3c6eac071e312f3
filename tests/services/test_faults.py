"""Faults by header: what was asked for, where it was asked for, and only where they are enabled."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.faults import Fault
from support.processes import Start


def fault(text: str, service: str, **more: str) -> dict[str, str]:
    return {"x-fault": text, "x-fault-service": service, **more}


@pytest.mark.parametrize("service", ["gateway", "catalog"])
def test_a_service_fails_when_it_is_the_one_named(gateway: httpx.Client, service: str) -> None:
    answer = gateway.get("/api/v1/catalog", headers=fault("abort=503", service))
    assert answer.status_code == 503
    assert answer.json()["detail"] == f"{service} was asked to fail."
    assert gateway.get("/api/v1/catalog", headers=fault("abort=503", "payments")).status_code == 200


def test_a_service_is_late_when_asked(catalog: httpx.Client) -> None:
    answer = catalog.get("/v1/products", headers=fault("delay=200ms", "catalog"))
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.2


def test_only_the_first_try_of_a_key_fails(catalog: httpx.Client) -> None:
    headers = fault("abort=503;once=first", "catalog")
    assert [catalog.get("/v1/products", headers=headers).status_code for _ in range(3)] == [503, 200, 200]
    assert catalog.get("/v1/products", headers=fault("abort=503;once=other", "catalog")).status_code == 503


def test_a_second_try_passes_on_a_pod_that_has_not_seen_the_first(catalog: httpx.Client) -> None:
    headers = fault("abort=503;once=elsewhere", "catalog", **{"x-envoy-attempt-count": "2"})
    assert catalog.get("/v1/products", headers=headers).status_code == 200


def test_health_has_no_faults(catalog: httpx.Client) -> None:
    assert catalog.get("/readyz", headers=fault("abort=503", "catalog")).status_code == 200


@pytest.mark.parametrize("text", ["abort", "abort=200", "abort=x", "delay=5", "once=a", "abort=503;abort=503", "x=1"])
def test_a_fault_that_is_not_understood_is_refused_with_an_example(catalog: httpx.Client, text: str) -> None:
    answer = catalog.get("/v1/products", headers=fault(text, "catalog"))
    assert answer.status_code == 400
    assert "250ms" in answer.json()["detail"] or "delay=500ms" in answer.json()["detail"]


def test_faults_are_off_unless_enabled(start: Start) -> None:
    process = start("catalog")
    assert httpx.get(process.url + "/v1/products", headers=fault("abort=503", "catalog")).status_code == 200


@given(st.integers(0, 10_000), st.integers(400, 599), st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True))
def test_parts_may_stand_in_any_order(delay: int, abort: int, key: str) -> None:
    fault = Fault.parse(f"delay={delay}ms;abort={abort};once={key}")
    assert (fault.abort, fault.once) == (abort, key)
    assert fault.delay == pytest.approx(delay / 1000)
    assert fault == Fault.parse(f"once={key}; abort={abort}; delay={delay}ms")
