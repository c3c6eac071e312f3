"""The way to the bank: three tries, each with its own five seconds, and none after a no."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import httpx
import pytest

from chassis import retry
from chassis.breaker import Breaker, Open, Policy
from chassis.problems import Problem
from payments.ambassador import AmbassadorSettings
from payments.bank import legacy
from payments.bank.connection import Connection
from payments.bank.messages import Ask, Wish
from payments.domain.money import Money

if TYPE_CHECKING:
    from chassis.outbound import Upstream

ASK = Ask(Wish.CHARGE, "r-1", "ada", Money(1999, "EUR"))
YES = legacy.write(ASK) + ";STS=00;AUT=A1"
NO = legacy.write(ASK) + ";STS=51"


class Bank:
    """Answers as it is told, a status or a text; 0 is silence."""

    def __init__(self, *answers: int | str) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    async def request(self, method: str, path: str, **how: object) -> httpx.Response:
        headers = how["headers"]
        assert isinstance(headers, dict)
        self.asked.append(headers["authorization"])
        answer = next(self._answers)
        if answer == 0:
            await asyncio.Event().wait()
        return httpx.Response(200, text=answer) if isinstance(answer, str) else httpx.Response(answer)


def connection(bank: Bank, *, failures: int = 100) -> Connection:
    policy = Policy(failures=failures)
    return Connection(
        cast("Upstream", bank), Breaker("bank", policy), credentials="shop:secret", timeout=0.05, attempts=3
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waits between tries."""
    monkeypatch.setattr(retry, "wait_before", lambda *_, **__: 0.0)


def test_it_is_three_tries_of_five_seconds_and_sixteen_at_once_unless_somebody_says_otherwise() -> None:
    settings = AmbassadorSettings(bank_secret="s")  # noqa: S106 - of no bank
    assert (settings.bank_attempts, settings.bank_timeout, settings.bank_connections) == (3, 5.0, 16)


@pytest.mark.parametrize("before", [(), (500,), (0,), ("?",), (503, 0), ("garbled", 500)])
async def test_what_may_pass_is_tried_again_with_our_name_each_time(before: Sequence[int | str]) -> None:
    bank = Bank(*before, YES)
    answer = await connection(bank).ask(ASK)
    assert (answer.verdict, answer.authorisation) == ("approved", "A1")
    assert bank.asked == ["Basic c2hvcDpzZWNyZXQ="] * (len(before) + 1)


async def test_a_third_silence_is_no_answer() -> None:
    bank = Bank(0, 0, 0, YES)
    with pytest.raises(TimeoutError):
        await connection(bank).ask(ASK)
    assert len(bank.asked) == 3


async def test_a_no_is_an_answer_and_who_is_not_known_does_not_ask_again() -> None:
    declined = Bank(NO)
    assert (await connection(declined).ask(ASK)).verdict == "declined"
    stranger = Bank(401)
    with pytest.raises(Problem):
        await connection(stranger).ask(ASK)
    assert (len(declined.asked), len(stranger.asked)) == (1, 1)


async def test_each_try_counts_for_the_breaker_and_none_is_made_once_it_is_open() -> None:
    bank = Bank(500, 500, 500)
    with pytest.raises(Open):
        await connection(bank, failures=2).ask(ASK)
    assert len(bank.asked) == 2
