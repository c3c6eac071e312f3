"""Charging through a bank that misbehaves, by processes that die: each order is paid once, and the books agree."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from chassis.events import Envelope
from chassis.local_data import data_services
from support.hearing import heard
from support.processes import Start
from support.shop_events import about, envelope, placed, publish
from support.till import SECRET, SOON, Till, till
from support.waiting import eventually


@pytest.fixture(scope="module")
def open_till() -> Iterator[Till]:
    with data_services() as data, till(data) as opened:
        yield opened


@pytest.fixture
def counter(open_till: Till) -> Iterator[Till]:
    """The till, with a bank that behaves again afterwards and books that agree."""
    open_till.bank_behaves("ok")
    yield open_till
    open_till.bank_behaves("ok")
    open_till.is_sound()


def told(counter: Till, order: str) -> list[str]:
    """What payments has told others about an order."""
    found = heard(counter.processes.data.broker_url, "shop.payments.*")
    return [one.event_type for one in found if one.payload["orderId"] == order]


def reserved(order: str) -> Envelope:
    """The stock of a choreographed order is set aside."""
    items = [{"sku": "rope-01", "quantity": 2}]
    return envelope("StockReserved", {"orderId": order, "reservationId": "r", "items": items, "saga": "choreographed"})


class TestExactlyOnce:
    def test_an_order_is_charged_once_however_often_and_by_how_many_it_is_asked_for(self, counter: Till) -> None:
        order = counter.new_order()
        with ThreadPoolExecutor(8) as crowd:
            answers = list(crowd.map(lambda _: counter.charge(order), range(16)))
        answers.append(counter.charge(order, key="another-key"))
        assert {answer.status_code for answer in answers} <= {201, 202}, "202 where many wait for a busy bank"
        assert len({answer.json()["paymentId"] for answer in answers}) == 1
        counter.becomes(order, "charged")
        assert [event for event in counter.history(order) if event != "ChargeDeferred"] == [
            "ChargeIntended",
            "ChargeSettled",
        ]
        assert len(counter.booked(order)) == 1
        assert counter.owes(order) == 0

    @pytest.mark.parametrize(
        "plan", ["twice", "lost ok", "fail fail ok", "garbled ok", "garbled twice", "lost twice", "slow"]
    )
    def test_whatever_the_bank_does_at_first_it_charges_once(self, counter: Till, plan: str) -> None:
        order = counter.new_order()
        counter.bank_behaves(plan)
        assert counter.charge(order).status_code == 201
        assert len(counter.booked(order)) == 1
        assert counter.history(order) == ["ChargeIntended", "ChargeSettled"]

    @pytest.mark.parametrize("plan", ["fail fail fail ok", "lost lost lost ok", "garbled garbled garbled ok"])
    def test_a_bank_that_is_late_is_waited_for_afterwards(self, counter: Till, plan: str) -> None:
        order = counter.new_order()
        counter.bank_behaves(plan)
        first = counter.charge(order)
        assert (first.status_code, first.json()["status"]) == (202, "deferred")
        counter.becomes(order, "charged")
        assert counter.charge(order).status_code == 201, "the same key tells how it stands now"
        assert len(counter.booked(order)) == 1
        assert counter.history(order) == ["ChargeIntended", "ChargeDeferred", "ChargeSettled"]
        eventually(lambda: "PaymentCharged" in told(counter, order), within=SOON, what="others hear of it")
        assert told(counter, order) == ["InvoiceIssued", "PaymentDeferred", "PaymentCharged"]

    @pytest.mark.parametrize("died", ["payments", "payments.ambassador"])
    def test_a_crash_between_intent_and_answer_charges_once(self, counter: Till, died: str) -> None:
        order = counter.new_order()
        counter.bank_behaves("slow")
        with ThreadPoolExecutor(1) as caller:
            asking = caller.submit(counter.charge, order)
            eventually(lambda: counter.booked(order), within=SOON, every=0.02, what="the bank has charged")
            counter.processes[died].kill()
            counter.processes.restart(died).await_ready()
            asking.exception()
        counter.becomes(order, "charged")
        assert len(counter.booked(order)) == 1
        assert counter.history(order).count("ChargeSettled") == 1

    def test_a_crash_in_the_middle_of_a_refund_gives_back_once(self, counter: Till) -> None:
        order = counter.new_order()
        counter.charge(order)
        counter.bank_behaves("slow")
        with ThreadPoolExecutor(1) as caller:
            asking = caller.submit(counter.refund, order)
            eventually(lambda: not counter.booked(order), within=SOON, every=0.02, what="the bank has given back")
            counter.processes["payments"].kill()
            counter.processes.restart("payments").await_ready()
            asking.exception()
        counter.becomes(order, "refunded")
        assert counter.history(order) == ["ChargeIntended", "ChargeSettled", "RefundIntended", "Refunded"]

    def test_a_key_stands_for_one_request_and_an_order_for_one_charge(self, counter: Till) -> None:
        one, other = counter.new_order(), counter.new_order()
        assert counter.charge(one, key=one).status_code == 201
        assert counter.charge(other, key=one).json()["type"].endswith("idempotency-key-reused")
        assert counter.charge(one, amount=2000, key="fresh").json()["type"].endswith("other-charge")
        assert counter.status(other) == "none"


class TestRefusals:
    def test_what_the_bank_refuses_is_refused_for_good(self, counter: Till) -> None:
        order = counter.new_order()
        refused = counter.charge(order, customer=f"broke-{order}")
        assert (refused.status_code, counter.charge(order, customer=f"broke-{order}").status_code) == (402, 402)
        assert "not enough money" in refused.json()["detail"]
        eventually(lambda: told(counter, order) == ["PaymentFailed"], within=SOON, what="others hear of it")

    def test_fraud_rules_count_from_the_next_charge_on(self, counter: Till) -> None:
        def load(rules: str) -> httpx.Response:
            return counter.payments.put("/v1/fraud-rules", content=rules, headers={"content-type": "text/plain"})

        before = load("# none").json()["version"]
        customer = f"c-{counter.new_order()}"
        hasty = 'rule hasty: deny when charges_last_hour >= 2 and amount > 5.00 EUR because "too many in an hour"'
        assert load(hasty).json()["version"] == before + 1
        assert [counter.charge(counter.new_order(), customer=customer).status_code for _ in range(3)] == [201, 201, 402]
        wrong = load("rule a: allow when first_charge\nrule b: deny when amount > 5")
        assert wrong.json()["errors"] == [
            {
                "field": "line 2, column 28",
                "location": "body",
                "value": "rule b: deny when amount > 5",
                "remedy": "this is a number, and an amount is needed here",
                "line": 2,
                "column": 28,
            }
        ]
        assert counter.charge(order := counter.new_order(), customer=customer).status_code == 402, "hasty is in force"
        assert not counter.booked(order)
        load("# none")
        assert counter.charge(counter.new_order(), customer=customer).status_code == 201


class TestRefunds:
    def test_money_goes_back_once_and_the_order_is_not_charged_again(self, counter: Till) -> None:
        order = counter.new_order()
        counter.charge(order)
        assert [counter.refund(order).status_code for _ in range(3)] == [200] * 3
        assert counter.charge(order).status_code == 409
        assert counter.booked(order) == []
        eventually(lambda: told(counter, order)[-1:] == ["PaymentRefunded"], within=SOON, what="others hear of it")
        assert told(counter, order).count("PaymentRefunded") == 1

    def test_a_refund_before_the_charge_bars_it(self, counter: Till) -> None:
        order = counter.new_order()
        assert counter.refund(order).json()["status"] == "cancelled"
        assert counter.charge(order).status_code == 409
        assert counter.booked(order) == []

    @pytest.mark.parametrize("plan", ["lost lost lost fail fail fail ok", "fail fail fail fail fail fail ok"])
    def test_a_refund_of_what_may_have_been_charged_leaves_nothing_charged(self, counter: Till, plan: str) -> None:
        order = counter.new_order()
        counter.bank_behaves(plan)
        assert counter.charge(order).status_code == 202
        assert counter.refund(order).status_code in {200, 202}
        eventually(lambda: counter.status(order) in {"refunded", "cancelled"}, within=SOON, what="it is over")
        assert counter.booked(order) == []
        assert counter.owes(order) == 0


def test_a_breaker_makes_callers_wait_no_longer_and_everything_is_charged_later(counter: Till) -> None:
    counter.bank_behaves("fail")
    orders = [counter.new_order() for _ in range(10)]
    assert {counter.charge(order).status_code for order in orders} == {202}
    metrics = httpx.get(counter.processes["payments.ambassador"].url + "/metrics").text
    assert 'breaker_transitions_total{breaker="bank",to="open"} 0.0' not in metrics
    assert any(entry["outcome"] == "Open" for order in orders for entry in counter.audited(order))
    counter.bank_behaves("ok")
    for order in orders:
        counter.becomes(order, "charged")
        assert len(counter.booked(order)) == 1


def test_the_ambassador_writes_down_each_try_and_no_credentials(counter: Till) -> None:
    order = counter.new_order()
    counter.bank_behaves("fail lost ok")
    assert counter.charge(order).status_code == 201
    tries = [(entry["try"], entry["outcome"]) for entry in counter.audited(order)]
    assert tries == [(1, "Problem"), (2, "TimeoutError"), (3, "approved")]
    for process in counter.processes.values():
        assert not any(SECRET in line for line in process.log)


def test_a_bank_that_does_not_know_us_gets_nothing_charged(counter: Till, start: Start) -> None:
    bank = counter.processes["bank"].url
    stranger = start("payments.ambassador", BANK_URL=bank, BANK_SECRET="wrong")  # noqa: S106 - it is meant to be
    ask = {"wish": "charge", "reference": "r-1", "customer": "ada", "amount": 1, "currency": "EUR"}
    assert httpx.post(stranger.url + "/v1/asks", json=ask).status_code == 401
    assert counter.booked("ada") == []


def test_what_a_customer_owed_can_be_asked_for_any_past_time(counter: Till) -> None:
    order = counter.new_order()
    before = datetime.now(UTC).isoformat()
    counter.bank_behaves("fail")
    counter.charge(order, amount=700)
    owing = datetime.now(UTC).isoformat()
    counter.bank_behaves("ok")
    counter.becomes(order, "charged")
    assert [counter.owes(order, at) for at in (before, owing, None)] == [0, 700, 0]


def test_it_runs_alone_without_postgres_and_broker(start: Start) -> None:
    bank = start("bank", BANK_SECRET=SECRET)
    ambassador = start("payments.ambassador", BANK_URL=bank.url, BANK_SECRET=SECRET)
    body = {"orderId": "o-1", "customer": "ada", "amount": {"amount": 1999, "currency": "EUR"}}
    with httpx.Client(base_url=start("payments", BANK_URL=ambassador.url).url, timeout=30) as alone:
        first, again = (alone.post("/v1/charges", json=body) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json()["paymentId"] == again.json()["paymentId"]
        assert alone.get("/v1/accounts/bank/balance").json()["version"] == 1
        assert alone.get("/v1/ledger").json()["balanced"]


class TestChoreography:
    @pytest.mark.parametrize("stock_first", [False, True])
    def test_an_order_is_charged_once_when_its_stock_is_set_aside(self, counter: Till, *, stock_first: bool) -> None:
        order, broker = counter.new_order(), counter.processes.data.broker_url
        events = [placed(order, order), reserved(order)]
        publish(broker, [*(events[::-1] if stock_first else events), *events])
        counter.becomes(order, "charged")
        eventually(lambda: "PaymentCharged" in told(counter, order), within=SOON, what="others hear of it")
        assert told(counter, order).count("PaymentCharged") == 1
        assert len(counter.booked(order)) == 1

    def test_what_cannot_be_shipped_is_paid_back(self, counter: Till) -> None:
        order, broker = counter.new_order(), counter.processes.data.broker_url
        publish(broker, [placed(order, order), reserved(order)])
        counter.becomes(order, "charged")
        failed = {"orderId": order, "shipmentId": "s", "reason": "no carrier", "saga": "choreographed"}
        publish(broker, [envelope("ShipmentFailed", failed)] * 2)
        counter.becomes(order, "refunded")
        assert counter.booked(order) == []

    def test_who_cancels_again_is_told_again_that_the_money_is_back(self, counter: Till) -> None:
        """Orders may hear of a refund before it hears of the charge; then it waits for what it took for nothing."""
        order, broker = counter.new_order(), counter.processes.data.broker_url
        publish(broker, [placed(order, order), reserved(order)])
        counter.becomes(order, "charged")
        for times in (1, 2):
            publish(broker, [about("OrderCancelled", order, order, reason="changed my mind")])
            eventually(lambda: told(counter, order).count("PaymentRefunded") == times, within=SOON, what="it is told")  # noqa: B023 - called at once
        assert counter.history(order) == ["ChargeIntended", "ChargeSettled", "RefundIntended", "Refunded"]
        assert counter.booked(order) == []

    def test_a_cancellation_that_overtakes_the_stock_leaves_nothing_charged(self, counter: Till) -> None:
        order, broker = counter.new_order(), counter.processes.data.broker_url
        publish(broker, [placed(order, order), about("OrderCancelled", order, order, reason="changed my mind")])
        counter.becomes(order, "cancelled")
        publish(broker, [reserved(order)])
        other = counter.new_order()
        publish(broker, [placed(other, other), reserved(other)])
        counter.becomes(other, "charged")
        assert counter.history(order) == ["ChargeCancelled"]
        assert counter.booked(order) == []
