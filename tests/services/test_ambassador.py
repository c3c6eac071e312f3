"""The ambassador as others see it: the kubelet by a door of its own, and payments, which shows how it stands."""

from typing import Any

import httpx
import pytest

from chassis.local import Process
from chassis.ports import listen
from chassis.process import url_of
from support.processes import Start
from support.stand_in import stand_in
from support.waiting import eventually

SECRET = "known-to-both-of-them"  # noqa: S105 - of no bank at all


@pytest.fixture
def nobody() -> str:
    """A URL where nobody listens."""
    with listen(0) as free:
        return url_of(free)


def ambassador(start: Start, bank: str, **env: str) -> Process:
    return start("payments.ambassador", BANK_URL=bank, BANK_SECRET=SECRET, BANK_ATTEMPTS="1", **env)


def metrics(process: Process) -> list[str]:
    return httpx.get(process.url + "/metrics").text.splitlines()


def shows(process: Process, line: str) -> None:
    eventually(lambda: line in metrics(process), within=30, every=0.2, what=f"{process.name} shows {line}")


def test_the_platform_gets_in_by_a_door_of_its_own_and_to_nothing_else(start: Start, nobody: str) -> None:
    port = nobody.rpartition(":")[2]
    running = ambassador(start, "http://bank", PLATFORM_PORT=port)
    for path in ("/livez", "/readyz", "/metrics"):
        assert httpx.get(nobody + path).status_code == 200
    ask = {"wish": "charge", "reference": "r-1", "customer": "ada", "amount": 1, "currency": "EUR"}
    refused = httpx.post(nobody + "/v1/asks", json=ask)
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:seatrial:problem:not-here")
    assert httpx.get(nobody + "/v1/breaker").status_code == 404
    assert httpx.get(running.url + "/v1/breaker").json() == {"state": "closed"}


def test_payments_shows_how_its_ambassador_stands(start: Start, nobody: str) -> None:
    beside = ambassador(start, nobody, BREAKER_FAILURES="1", BREAKER_OPEN_FOR="10m")
    payments = start("payments", BANK_URL=beside.url)
    shows(payments, "payments_ambassador_up 1.0")
    assert 'breaker_state{breaker="bank",state="closed"} 1.0' in metrics(payments)

    body = {"orderId": "o-1", "customer": "ada", "amount": {"amount": 1999, "currency": "EUR"}}
    assert httpx.post(payments.url + "/v1/charges", json=body).status_code == 202
    shows(payments, 'breaker_state{breaker="bank",state="open"} 1.0')

    beside.kill()
    shows(payments, "payments_ambassador_up 0.0")
    assert not any('breaker="bank"' in line for line in metrics(payments)), "what isn't known isn't shown"


@pytest.mark.parametrize("answer", [(200, {"state": "sideways"}), (200, b"?"), (404, {"detail": "unknown"})])
def test_an_ambassador_that_talks_nonsense_is_one_that_does_not_answer(start: Start, answer: tuple[int, Any]) -> None:
    with stand_in(lambda _: answer) as beside:
        payments = start("payments", BANK_URL=beside.url)
        eventually(lambda: len(beside.asked) > 1, within=30, what="it is asked again")
        assert "payments_ambassador_up 0.0" in metrics(payments)
