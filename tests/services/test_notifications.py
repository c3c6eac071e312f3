"""What customers are told about their orders: by real events from a real broker, to a provider that counts."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from openapi_spec_validator import validate

from chassis.events import Envelope
from chassis.ids import new_id
from chassis.local import Shop, shop
from chassis.local_data import DataServices
from support.processes import Start
from support.provider import Provider, Sent, provider
from support.shop_events import about, as_of, booked, envelope, placed, publish
from support.waiting import always, eventually

SOON = 15.0


@pytest.fixture(scope="module")
def provided() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def alone(provided: Provider) -> Iterator[Shop]:
    """The service in one process: two would share what comes."""
    with shop(names=["notifications"], env={"SINK_URL": provided.url, "INTAKE": "4"}, quiet=True) as running:
        yield running


@pytest.fixture
def data(alone: Shop) -> DataServices:
    return alone.data


@pytest.fixture
def channel(provided: Provider) -> Iterator[Provider]:
    """The provider, as if it were new."""
    provided.reset()
    yield provided
    provided.reset()


@pytest.fixture
def notifications(alone: Shop, channel: Provider) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=alone["notifications"].url, timeout=20) as client:
        yield client


@pytest.fixture
def customer() -> str:
    """A customer whom no other test knows: tests share the broker."""
    return f"c-{new_id()[-12:]}"


def await_told(channel: Provider, customer: str, count: int) -> list[Sent]:
    def told() -> list[Sent]:
        found = channel.to(customer)
        return found if len(found) >= count else []

    return eventually(told, within=SOON, every=0.05, what=f"{customer} is told {count} times")


def await_taken(channel: Provider, count: int) -> None:
    eventually(lambda: len(channel.taken) == count, within=SOON, every=0.05, what=f"{count} messages are taken")


def statuses(client: httpx.Client, customer: str) -> list[str]:
    answer = client.get("/v1/notifications", params={"customer": customer}).json()
    return sorted(f"{one['kind']} {one['status']}" for one in answer["notifications"])


def life(order: str, customer: str) -> list[Envelope]:
    return [
        placed(order, customer),
        about("OrderConfirmed", order, customer),
        about("OrderShipped", order, customer),
        about("OrderDelivered", order, customer),
    ]


def test_a_customer_is_told_each_step_of_an_order_once_by_every_medium_that_was_asked_for(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    wanted = {"email": f"{customer}@sea.example", "sms": "+4943112345", "push": f"token-{customer}"}
    assert notifications.put(f"/v1/preferences/{customer}", json=wanted).json() == wanted
    for told, event in enumerate(life(order := new_id(), customer), start=1):
        publish(data.broker_url, [event])
        await_taken(channel, 3 * told)
    eventually(lambda: {one.split()[1] for one in statuses(notifications, customer)} == {"sent"}, within=SOON)
    assert len(channel.taken) == 12
    receipt = next(one for one in channel.taken if one.medium == "email" and b"We have your order" in one.content)
    to, subject, body = receipt.mail
    assert (to, subject) == (wanted["email"], "We have your order over 19.98 EUR")
    assert f"thank you for your order {order}" in body
    assert {one.json["to"] for one in channel.taken if one.medium == "sms"} == {wanted["sms"]}
    assert {one.json["token"] for one in channel.taken if one.medium == "push"} == {wanted["push"]}


def test_an_event_that_comes_again_and_again_has_its_effect_once(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    event = placed(new_id(), customer)
    publish(data.broker_url, [event] * 20)
    publish(data.broker_url, [about("OrderConfirmed", event.payload["orderId"], customer)])
    await_told(channel, customer, 2)
    always(lambda: len(channel.to(customer)) == 2, lasting=0.5)


def test_news_that_something_newer_has_overtaken_is_not_told_and_a_receipt_is(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    first, confirmed, shipped, _ = life(new_id(), customer)
    for event in (shipped, confirmed, first):
        publish(data.broker_url, [event])
        eventually(lambda: statuses(notifications, customer), within=SOON)
    eventually(lambda: len(statuses(notifications, customer)) == 3, within=SOON)
    eventually(
        lambda: statuses(notifications, customer) == ["confirmed superseded", "placed sent", "shipped sent"],
        within=SOON,
    )


@pytest.mark.usefixtures("notifications")
def test_what_orders_says_again_is_told_once(channel: Provider, data: DataServices, customer: str) -> None:
    """It says a cancellation again, as another event, while somebody hasn't done his part of it."""
    order = new_id()
    for _ in range(3):
        publish(data.broker_url, [about("OrderCancelled", order, customer, reason="Nothing was heard.")])
    publish(data.broker_url, [placed(order, customer)])
    await_told(channel, customer, 2)
    always(lambda: len(channel.to(customer)) == 2, lasting=0.5)


def test_a_mail_about_a_parcel_names_its_code_without_asking_anybody(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    order = new_id()
    publish(data.broker_url, [placed(order, customer), booked(order, "GU-4711")])
    await_told(channel, customer, 1)
    publish(data.broker_url, [about("OrderShipped", order, customer)])
    assert "with Gull. Follow it by GU-4711." in await_told(channel, customer, 2)[1].mail[2]


@pytest.mark.usefixtures("notifications")
@pytest.mark.parametrize("fields", [{}, {"cancelledBy": "customer"}], ids=["v1", "v2"])
def test_a_cancellation_of_either_version_is_told(
    fields: dict[str, str], channel: Provider, data: DataServices, customer: str
) -> None:
    event = about("OrderCancelled", new_id(), customer, version=1 + len(fields), reason="Wrong colour.", **fields)
    publish(data.broker_url, [event])
    said = await_told(channel, customer, 1)[0].mail[2]
    assert ("as you asked" in said) == bool(fields)
    assert "Reason: Wrong colour." in said


def letters(client: httpx.Client, consumer: str = "notifications.customers") -> list[dict[str, str]]:
    found: list[dict[str, str]] = client.get("/v1/dead-letters", params={"consumer": consumer}).json()["deadLetters"]
    return found


def test_a_refused_message_lies_among_the_dead_letters_until_somebody_mends_the_cause(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    wrong, right = "+4900000001", "+4943199999"
    notifications.put(f"/v1/preferences/{customer}", json={"sms": wrong, "email": f"{customer}@sea.example"})
    channel.refused = wrong
    event = placed(new_id(), customer)
    publish(data.broker_url, [event])
    letter = eventually(
        lambda: [one for one in letters(notifications) if one["eventId"] == event.event_id], within=SOON
    )[0]
    assert letter["cause"] == "Poison: sms: the provider of sms refuses: 422"
    assert letter["subject"] == "shop.orders.OrderPlaced"
    assert [one.medium for one in channel.taken] == ["email"], "what can be told is told"
    assert 'dead_letters_total{consumer="customers"} 1.0' in notifications.get("/metrics").text, "the alert sees it"

    notifications.put(f"/v1/preferences/{customer}", json={"sms": right, "email": f"{customer}@sea.example"})
    redriven = notifications.post("/v1/dead-letters/redrive", json={"ids": [letter["id"]]})
    assert redriven.json() == {"redriven": 1}
    eventually(lambda: any(one.medium == "sms" and one.json["to"] == right for one in channel.taken), within=SOON)
    assert [one.medium for one in channel.taken] == ["email", "sms"], "nothing is told twice"
    assert all(one["eventId"] != event.event_id for one in letters(notifications))


def test_malformed_messages_are_put_aside_with_their_cause_and_those_behind_go_on(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    good = placed(new_id(), customer)
    nameless = as_of(good, eventId=f"bad-{customer}", payload={"orderId": "x"})
    publish(data.broker_url, [b"\x00\xff not JSON", nameless, b"{}", good])
    await_told(channel, customer, 1)
    causes = eventually(
        lambda: [one["cause"] for one in letters(notifications) if "malformed" in one["cause"]], within=SOON
    )
    eventually(lambda: len([one for one in letters(notifications) if "malformed" in one["cause"]]) >= 3, within=SOON)
    causes = [one["cause"] for one in letters(notifications)]
    assert any("Invalid JSON" in cause for cause in causes)
    assert any('"customer" is a required property' in cause for cause in causes)
    notifications.post("/v1/dead-letters/redrive", json={})
    eventually(lambda: len(letters(notifications)) >= 3, within=SOON, what="what isn't mended comes back")


def test_a_provider_that_is_down_costs_time_and_no_letter(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    channel.down = True
    event = placed(new_id(), customer)
    publish(data.broker_url, [event])
    eventually(lambda: sum(channel.offers.values()) >= 3, within=SOON, what="it is tried again")
    assert all(one["eventId"] != event.event_id for one in letters(notifications))
    channel.down = False
    assert len(await_told(channel, customer, 1)) == 1


def test_what_was_being_sent_when_the_process_was_killed_is_offered_under_the_same_id(
    alone: Shop, notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    channel.gate.clear()
    publish(data.broker_url, [placed(new_id(), customer)])
    await_told(channel, customer, 1)
    alone["notifications"].signal(signal.SIGKILL)
    alone["notifications"].wait(10)
    channel.gate.set()
    alone.restart("notifications").await_ready()
    eventually(lambda: statuses(notifications, customer) == ["placed sent"], within=30)
    assert len(channel.to(customer)) == 1
    assert channel.offers[channel.taken[0].id] == 2


def test_two_subscribers_get_every_event_and_neither_waits_for_the_other(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    channel.gate.clear()  # the one that tells customers stands still
    order = new_id()
    publish(data.broker_url, [placed(order, customer)])
    trail = eventually(lambda: drawn(notifications, order), within=SOON)
    assert "OrderPlaced" in trail
    channel.gate.set()
    assert await_told(channel, customer, 1)


def drawn(client: httpx.Client, identity: str) -> str:
    answer = client.get(f"/v1/trails/{identity}")
    return answer.text if answer.is_success else ""


def test_a_trail_shows_what_followed_from_what(
    notifications: httpx.Client, channel: Provider, data: DataServices, customer: str
) -> None:
    click, order = f"click-{customer}", new_id()
    first = placed(order, customer, correlation=click)
    reserved = envelope(
        "StockReserved",
        {"orderId": order, "reservationId": new_id(), "items": [{"sku": "rope-01", "quantity": 2}]},
        correlation=click,
        cause=first.event_id,
    )
    publish(data.broker_url, [reserved, first])
    trail = eventually(
        lambda: text if "email sent" in (text := drawn(notifications, click)) and "StockReserved" in text else "",
        within=SOON,
    )
    assert [re.split(r"  |: ", line.strip("│├└─ "))[0] for line in trail.splitlines()] == [
        f"request {click}, {first.timestamp.isoformat(timespec='milliseconds')}",
        "OrderPlaced",
        "StockReserved",
        "email sent",
    ]
    assert drawn(notifications, order) == trail, "an order's id finds it too"
    assert notifications.get("/v1/trails/nobody").status_code == 404


def lag(client: httpx.Client) -> float:
    found = re.search(r'consumer_lag\{consumer="customers"\} (\S+)', client.get("/metrics").text)
    return float(found[1]) if found else 0.0


def test_a_full_intake_says_so_at_once_and_loses_nothing(alone: Shop, channel: Provider, customer: str) -> None:
    channel.delay = 0.05

    def send(number: int) -> list[int]:
        """A sender as it should be: it keeps the note and tries again."""
        answers: list[int] = []

        def tell() -> bool:
            note = {"customer": customer, "subject": "Sale", "text": f"Note {number}."}
            answer = client.post("/v1/notifications", json=note, headers={"idempotency-key": f"note-{number}"})
            answers.append(answer.status_code)
            if answer.status_code == 429:
                assert answer.headers["retry-after"] == "1"
            return answer.status_code == 201

        eventually(tell, within=30, every=0.05)
        return answers

    limits = httpx.Limits(max_connections=20)
    with (
        httpx.Client(base_url=alone["notifications"].url, timeout=20, limits=limits) as client,
        ThreadPoolExecutor(20) as pool,
    ):
        answers = [status for told in pool.map(send, range(40)) for status in told]
    assert set(answers) == {201, 429}
    assert len(channel.to(customer)) == 40


def test_a_note_sent_again_with_its_key_is_told_once(
    notifications: httpx.Client, channel: Provider, customer: str
) -> None:
    note = {"customer": customer, "subject": "Sale", "text": "Ropes are cheap today."}
    first, again = (
        notifications.post("/v1/notifications", json=note, headers={"idempotency-key": "sale"}).json() for _ in range(2)
    )
    assert first == again
    assert len(channel.to(customer)) == 1


def test_what_looks_like_sql_finds_nothing_and_breaks_nothing(notifications: httpx.Client, customer: str) -> None:
    notifications.post("/v1/notifications", json={"customer": customer, "subject": "Hello", "text": "You."})
    evil = "'OR'1'='1';DROP/**/TABLE/**/notifications;--"
    assert notifications.get("/v1/notifications", params={"order": evil}).json() == {"notifications": []}
    assert notifications.get("/v1/notifications", params={"order": "\0"}).status_code == 422, "Postgres takes no NUL"
    assert notifications.get("/v1/notifications", params={"customer": evil}).status_code == 422
    assert statuses(notifications, customer) == ["note sent"]


def test_a_header_cannot_be_smuggled_into_a_mail(notifications: httpx.Client, channel: Provider, customer: str) -> None:
    address = f"{customer}@sea.example\r\nBcc: everybody@sea.example"
    assert notifications.put(f"/v1/preferences/{customer}", json={"email": address}).status_code == 422
    note = {"customer": customer, "subject": "Hello\r\nBcc: everybody@sea.example", "text": "You."}
    assert notifications.post("/v1/notifications", json=note).status_code == 422
    assert channel.to("everybody") == []


def test_it_runs_alone_and_writes_into_a_folder(start: Start, tmp_path: Path) -> None:
    process = start("notifications", SINK_FOLDER=str(tmp_path))
    note = {"customer": "ada", "subject": "Hello", "text": "You."}
    (told,) = httpx.post(f"{process.url}/v1/notifications", json=note).json()["notifications"]
    assert b"Subject: Hello" in (tmp_path / "email" / told["id"]).read_bytes()
    validate(httpx.get(f"{process.url}/openapi.json").json())


def test_memory_stays_flat_while_events_come_ten_times_faster_than_they_can_be_told(
    alone: Shop, notifications: httpx.Client, channel: Provider, data: DataServices
) -> None:
    process = psutil.Process(alone["notifications"].pid)
    publish(data.broker_url, [placed(new_id(), "warm") for _ in range(100)])
    await_told(channel, "warm", 100)
    channel.delay = 0.1  # eight workers tell at most 80 a second, and more than 800 come
    before = process.memory_info().rss
    publish(data.broker_url, [placed(new_id(), "flood") for _ in range(1300)])
    eventually(lambda: lag(notifications) > 1000, within=SOON, what="the alert's limit is passed")
    await_told(channel, "flood", 100)
    grown = process.memory_info().rss - before
    assert len(channel.to("flood")) < 600, "most of it waits at the broker"
    assert grown < 4 * 1024 * 1024
