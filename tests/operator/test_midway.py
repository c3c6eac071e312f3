"""What the proxy in front of the API server makes of a request."""

from support.midway import Write, write_of


def test_writes_are_told_apart_by_what_they_do() -> None:
    path = "/apis/seatrial.dev/v1alpha1/namespaces/shop/revisions/orders-2/status"
    body = (
        b'{"status": {"role": "Canary", "attempts": [{"phase": "Shifting", "weight": {"wanted": 10, "verified": 0},'
        b' "evidence": {"verdict": "Wait", "checkpoint": "c-Mk"}}]}}'
    )
    write = write_of("PATCH", path, body, "shop")
    said = '["Shifting", {"verified": 0, "wanted": 10}, "Canary", ["Wait", true], ["attempts", "role"]]'
    assert write == Write("PATCH", "revisions/status", "orders-2", said)
    assert write_of("PATCH", path, body, "elsewhere") is None
    assert write_of("GET", path, b"", "shop") is None
    assert write_of("POST", "/api/v1/namespaces/shop/events", b"{}", "shop") is None
