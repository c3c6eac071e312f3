"""Rules within one database: each is a query for rows that break it, (subject, detail). ``$1``: grace in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule's name, and the query for what breaks it."""

    name: str
    broken: str


_OUTBOX = Rule(
    "outbox is drained",
    """
    SELECT aggregate_id, format('event %s for %s waits since %s', event_id, subject, added_at)
    FROM outbox WHERE added_at < now() - make_interval(secs => $1) ORDER BY position
    """,
)

_ORDERS = (
    Rule(
        "every saga ends",
        """
        SELECT id, format('%s since %s', status, updated_at) FROM sagas
        WHERE status NOT IN ('completed', 'compensated', 'abandoned')
          AND updated_at < now() - make_interval(secs => $1)
        """,
    ),
    Rule(
        "an order and its saga agree",
        """
        SELECT o.id, format('order is %s, its saga is %s', o.status, coalesce(s.status, 'not there'))
        FROM orders o LEFT JOIN sagas s ON s.id = o.id
        WHERE s.status IS NULL
           OR (s.status = 'completed' AND o.status IN ('pending', 'cancelled'))
           OR (s.status = 'compensated' AND o.status <> 'cancelled')
        """,
    ),
)

_INVENTORY = (
    Rule(
        "stock is never negative",
        """
        SELECT sku || ' in ' || warehouse, format('available %s, reserved %s, shipped %s', available, reserved, shipped)
        FROM stock WHERE least(available, reserved, shipped) < 0
        """,
    ),
    Rule(
        "stock is conserved",
        """
        SELECT s.sku || ' in ' || s.warehouse,
               format('received %s, but %s available + %s reserved + %s shipped', coalesce(r.units, 0),
                      s.available, s.reserved, s.shipped)
        FROM stock s
        LEFT JOIN (SELECT sku, warehouse, sum(units) AS units FROM receipts GROUP BY 1, 2) r USING (sku, warehouse)
        WHERE coalesce(r.units, 0) <> s.available + s.reserved + s.shipped
        """,
    ),
    Rule(
        "stock is what reservations say",
        """
        SELECT s.sku || ' in ' || s.warehouse,
               format('reserved %s, picks say %s; shipped %s, picks say %s', s.reserved, coalesce(p.held, 0),
                      s.shipped, coalesce(p.gone, 0))
        FROM stock s
        LEFT JOIN (
            SELECT sku, warehouse,
                   sum(units) FILTER (WHERE status IN ('held', 'committed')) AS held,
                   sum(units) FILTER (WHERE status = 'shipped') AS gone
            FROM picks JOIN reservations USING (order_id) GROUP BY 1, 2
        ) p USING (sku, warehouse)
        WHERE s.reserved <> coalesce(p.held, 0) OR s.shipped <> coalesce(p.gone, 0)
        """,
    ),
    Rule(
        "reservations expire",
        """
        SELECT order_id, format('held, though it expired at %s', expires_at)
        FROM reservations WHERE status = 'held' AND expires_at < now() - make_interval(secs => $1) - interval '1 minute'
        """,
    ),
)

_PAYMENTS = (
    Rule(
        "the ledger balances",
        """
        SELECT data->>'entry', format('is out by %s %s', sum((data->>'amount')::bigint), data->>'currency')
        FROM events WHERE type = 'Posted'
        GROUP BY data->>'entry', data->>'currency' HAVING sum((data->>'amount')::bigint) <> 0
        """,
    ),
    Rule(
        "nobody pays more than they owe",
        """
        SELECT stream, format('%s %s', sum((data->>'amount')::bigint), data->>'currency')
        FROM events WHERE type = 'Posted' AND stream LIKE 'account/customer:%'
        GROUP BY stream, data->>'currency' HAVING sum((data->>'amount')::bigint) < 0
        """,
    ),
    Rule(
        "an order is charged once",
        """
        SELECT substr(stream, 8), format('the bank took it %s times', count(*))
        FROM events WHERE type = 'ChargeSettled' GROUP BY stream HAVING count(*) > 1
        """,
    ),
    Rule(
        "no event is missing",
        """
        SELECT s.id, format('version %s, %s events up to %s', s.version, count(e.version), coalesce(max(e.version), 0))
        FROM streams s LEFT JOIN events e ON e.stream = s.id
        GROUP BY s.id, s.version HAVING count(e.version) <> s.version OR coalesce(max(e.version), 0) <> s.version
        """,
    ),
    Rule(
        "balances are what events add up to",
        """
        SELECT ledger.account, format('projected %s, events say %s %s', b.balance, ledger.balance, ledger.currency)
        FROM (SELECT substr(stream, 9) AS account, data->>'currency' AS currency,
                     sum((data->>'amount')::bigint) AS balance
              FROM events WHERE type = 'Posted' AND stream LIKE 'account/%' GROUP BY 1, 2) ledger
        JOIN streams s ON s.id = 'account/' || ledger.account
        JOIN projected_streams p ON p.stream = s.id AND p.version = s.version
        LEFT JOIN account_balances b USING (account, currency)
        WHERE coalesce(b.balance, 0) <> ledger.balance
        """,
    ),
    Rule(
        "charges that were put off are made",
        """
        SELECT order_id, format('was due at %s, %s attempts', due_at, attempts)
        FROM open_charges WHERE due_at < now() - make_interval(secs => $1)
        """,
    ),
)

_SHIPPING = (
    Rule(
        "an order is shipped once",
        """
        SELECT reference, format('%s carriers have collected it', count(*))
        FROM carrier_parcels WHERE NOT withdrawn AND collect_at < now()
        GROUP BY reference HAVING count(*) > 1
        """,
    ),
)

_NOTIFICATIONS = (
    Rule(
        "a customer is told once",
        """
        SELECT order_id, format('%s by %s, %s times', kind, medium, count(*))
        FROM notifications WHERE order_id IS NOT NULL
        GROUP BY order_id, kind, medium HAVING count(*) > 1
        """,
    ),
)

INSIDE: Mapping[str, tuple[Rule, ...]] = {
    "orders": (*_ORDERS, _OUTBOX),
    "inventory": (*_INVENTORY, _OUTBOX),
    "payments": (*_PAYMENTS, _OUTBOX),
    "shipping": (*_SHIPPING, _OUTBOX),
    "notifications": _NOTIFICATIONS,
}
