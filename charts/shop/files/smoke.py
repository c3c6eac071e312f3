"""What `helm test` runs in a pod: a user's way through the shop, by the ingress gateway."""

# ruff: noqa: ANN401, INP001, S101, S310, T201 - a script for a pod that has nothing but Python: it asserts, and prints to the log

import json
import sys
import urllib.request
from typing import Any


def ask(path: str, body: object = None) -> Any:
    """GET, or POST when there is a body; any status but success is an exception."""
    base, host = sys.argv[1:3]
    data = None if body is None else json.dumps(body).encode()
    headers = {"host": host, "content-type": "application/json"}
    request = urllib.request.Request(base + path, data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        print(answer.status, path[:60], "|", answer.headers["x-served-by"])
        return json.load(answer)


product = ask("/api/v1/catalog?limit=1")["products"][0]
order = ask("/api/v1/orders", {"customer": "helm-test", "items": [{"sku": product["sku"], "quantity": 2}]})
assert order["total"]["amount"] == 2 * product["price"]["amount"], order
assert ask("/api/v1/orders/" + order["id"]) == order
caller = ask("/api/v1/identity")["caller"] or "nobody"
assert caller.endswith("/sa/gateway"), f"orders saw {caller}"
print("placed an order and found it again; orders saw", caller)
