"""The caller's identity is the one that our own sidecar has verified, never one that the caller made up."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.identity import HEADER, caller

GATEWAY = "spiffe://cluster.local/ns/shop/sa/gateway"
ELEMENT = f'By=spiffe://cluster.local/ns/shop/sa/orders;Hash=0a1b;Subject="O=a\\",b;URI=spiffe://evil";URI={GATEWAY}'


def test_orders_tells_who_called(orders: httpx.Client) -> None:
    answer = orders.get("/v1/identity", headers={HEADER: ELEMENT}).json()
    assert answer["service"] == "orders"
    assert answer["caller"] == GATEWAY


def test_outside_the_mesh_nobody_is_known(gateway: httpx.Client) -> None:
    assert gateway.get("/api/v1/identity").json()["caller"] is None


def test_what_came_with_a_request_is_not_handed_on(gateway: httpx.Client) -> None:
    assert gateway.get("/api/v1/identity", headers={HEADER: ELEMENT}).json()["caller"] is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (ELEMENT, GATEWAY),
        (f"URI=spiffe://cluster.local/ns/x/sa/forged,{ELEMENT}", GATEWAY),
        ("By=spiffe://a/b;Hash=00", None),
        (f"URI={GATEWAY},By=spiffe://a/b;Hash=00", None),
        ("URI=https://example.com/a", None),
        (f"DNS=a;uri={GATEWAY};URI=spiffe://second", GATEWAY),
        ("", None),
        (None, None),
        ('Subject="never closed;URI=spiffe://a', None),
    ],
)
def test_only_the_last_element_counts(header: str | None, expected: str | None) -> None:
    assert caller(header) == expected


@given(st.text())
def test_any_header_is_read_without_an_error(header: str) -> None:
    assert caller(header) is None or header


@given(st.text(alphabet=st.characters(blacklist_characters='"\\')))
def test_nothing_sent_in_front_changes_who_called(front: str) -> None:
    assert caller(f"{front},{ELEMENT}") == GATEWAY
