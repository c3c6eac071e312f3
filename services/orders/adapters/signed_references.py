"""Ids that hold their order: any process with the key can read what another one placed, and nobody can make one up.

Until orders have a database, each pod has only its own memory. An id that had to be looked up there would be unknown
to every other pod, and to all of them after a restart. So the id is the order: its JSON with an HMAC-SHA256 in front,
base64url. What follows from it, honestly:

- An order can't change after it was placed, and there is no list of all orders.
- Who has the id can read the order, as with any link that is hard to guess; the customer's name in it is encoded, not
  encrypted.
- Another key makes old ids unknown. All pods need the same one, or each finds its own orders only.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from orders.domain.errors import OrderError
from orders.domain.money import Money
from orders.domain.order import Line, Order

_VERSION: Final = b"\x01"
_SIGNATURE_BYTES: Final = 16
LONGEST: Final = 8192


class SignedReferences:
    """Makes and reads ids with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def refer(self, order: Order) -> str:
        """The id of an order."""
        lines = [[line.sku, line.quantity, line.unit_price.amount] for line in order.lines]
        content = [order.number, order.customer, order.total.currency, lines]
        payload = _VERSION + json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(self._sign(payload) + payload).rstrip(b"=").decode()

    def resolve(self, reference: str) -> Order | None:
        """The order of an id, or None when this key didn't sign it."""
        try:
            signed = base64.b64decode(reference + "=" * (-len(reference) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        signature, payload = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not payload.startswith(_VERSION) or not hmac.compare_digest(signature, self._sign(payload)):
            return None
        number, customer, currency, lines = json.loads(payload[len(_VERSION) :])
        try:
            return Order(
                number=number,
                customer=customer,
                lines=tuple(Line(sku, quantity, Money(amount, currency)) for sku, quantity, amount in lines),
            )
        except OrderError:  # the rules became stricter since
            return None

    def _sign(self, payload: bytes) -> bytes:
        return hmac.new(self._key, payload, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
