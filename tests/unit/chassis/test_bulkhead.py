"""The bulkhead refuses at once, counts, and gives back every place."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from chassis.bulkhead import Bulkhead, Full
from chassis.resilience import Resilience
from support.clock import now, virtually


async def test_one_too_many_is_refused_and_does_not_wait() -> None:
    bulkhead = Bulkhead("dray", 2)
    async with bulkhead, bulkhead:
        with pytest.raises(Full) as full:
            await bulkhead.__aenter__()
    assert full.value.status == 503
    assert (bulkhead.in_use, bulkhead.rejected) == (0, 1)


async def test_a_refused_call_takes_no_place_with_it() -> None:
    """A release in a finally that also runs for the refused would open the bulkhead a little wider each time."""
    bulkhead = Bulkhead("dray", 1)
    async with bulkhead:
        for _ in range(10):
            with pytest.raises(Full):
                async with bulkhead:
                    pytest.fail("the call was made")
        assert bulkhead.in_use == 1


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError()])
async def test_a_call_that_fails_gives_its_place_back(error: BaseException) -> None:
    bulkhead = Bulkhead("dray", 1)
    with pytest.raises(type(error)):
        async with bulkhead:
            raise error
    assert bulkhead.in_use == 0


def test_a_bulkhead_without_places_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="lets nobody in"):
        Bulkhead("dray", 0)


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=30))
def test_it_never_holds_more_than_its_places_and_refuses_only_when_full(
    limit: int, calls: list[tuple[int, int]]
) -> None:
    bulkhead = Bulkhead("dray", limit)

    async def call(at: int, lasting: int) -> str:
        await asyncio.sleep(at)
        had = bulkhead.in_use
        try:
            async with bulkhead:
                assert bulkhead.in_use <= limit
                await asyncio.sleep(lasting)
        except Full:
            assert had == limit
            assert now() == at, "at once"
            return "refused"
        return "made"

    async def all_calls() -> list[str]:
        return await asyncio.gather(*(call(at, lasting) for at, lasting in calls))

    outcomes = virtually(all_calls())
    assert outcomes.count("refused") == bulkhead.rejected
    assert bulkhead.in_use == 0


async def test_what_they_do_is_on_the_metrics() -> None:
    registry = CollectorRegistry()
    resilience = Resilience(registry)
    bulkhead = resilience.bulkhead("dray", 1)
    assert resilience.bulkhead("dray", 1) is bulkhead
    breaker = resilience.breaker("bank")
    async with bulkhead:
        with pytest.raises(Full):
            await bulkhead.__aenter__()
        assert registry.get_sample_value("bulkhead_in_use", {"bulkhead": "dray"}) == 1
    for _ in range(5):
        with breaker.attempt() as attempt:
            attempt.fail()
    values = {
        "bulkhead_limit": registry.get_sample_value("bulkhead_limit", {"bulkhead": "dray"}),
        "rejected": registry.get_sample_value("bulkhead_rejected_total", {"bulkhead": "dray"}),
        "open": registry.get_sample_value("breaker_state", {"breaker": "bank", "state": "open"}),
        "closed": registry.get_sample_value("breaker_state", {"breaker": "bank", "state": "closed"}),
        "opened": registry.get_sample_value("breaker_transitions_total", {"breaker": "bank", "to": "open"}),
    }
    assert values == {"bulkhead_limit": 1, "rejected": 1, "open": 1, "closed": 0, "opened": 1}
