"""What a user of the shop does, and what must come of it.

A journey is a function of a visitor. Its choices (which product, how many) follow from the visitor's number, so a run
can be repeated; every answer is checked, and a wrong one is a failure that says what was wrong.
"""

from random import Random

from loadtests import answers
from loadtests.generator import Journey
from loadtests.plan import BUYERS
from loadtests.visitor import Visitor

CATALOG = "/api/v1/catalog"
ORDERS = "/api/v1/orders"
STAPLES = ("rope-01", "rope-02", "fender-01", "shackle-01", "oar-01", "bucket-01")
SECOND_THOUGHTS = {"reason": "changed their mind"}


def shopping(visitor: Visitor) -> None:
    """Five requests: look at the catalog and at a product, and then order it, as one visitor in twenty does.

    The others look at their orders and at something else. An order goes through the whole shop, so it costs as much as
    dozens of looks.
    """
    random = Random(visitor.number)  # noqa: S311 - choices must repeat, not be secret
    found = visitor.ask("GET", CATALOG, answers.catalog)
    chosen, another = random.choice(found), random.choice(found)
    customer, quantity = f"customer-{visitor.number}", random.randint(1, 3)
    _look_at(visitor, chosen)
    if visitor.number % BUYERS:
        visitor.ask("GET", f"{ORDERS}?customer={customer}", answers.orders_of(customer))
        _look_at(visitor, another)
    else:
        made = visitor.ask(
            "POST",
            ORDERS,
            answers.placed(customer, {chosen: quantity}),
            body={"customer": customer, "items": [{"sku": chosen.sku, "quantity": quantity}]},
        )
        visitor.ask("GET", f"{ORDERS}/{made.id}", answers.order(made), name=f"GET {ORDERS}/{{id}}")
    visitor.ask("GET", f"{ORDERS}?customer={customer}", answers.orders_of(customer))


def _look_at(visitor: Visitor, product: answers.Product) -> None:
    visitor.ask("GET", f"{CATALOG}/{product.sku}", answers.product(product), name=f"GET {CATALOG}/{{sku}}")


def ordering(visitor: Visitor) -> None:
    """Order a thing, at times two: led by orders or by events in turn; one visitor in ten takes the order back.

    The first request is the order itself, so its latency counts from the intended arrival.
    """
    random = Random(visitor.number)  # noqa: S311 - choices must repeat, not be secret
    customer, led = f"customer-{visitor.number}", ("orchestrated", "choreographed")[visitor.number % 2]
    items = [{"sku": random.choice(STAPLES), "quantity": random.randint(1, 2)}]
    made = visitor.ask(
        "POST", ORDERS, answers.accepted(customer, items), body={"customer": customer, "items": items, "saga": led}
    )
    visitor.ask("GET", f"{ORDERS}/{made.id}", answers.order(made), name=f"GET {ORDERS}/{{id}}")
    if visitor.number % 10 == 0:
        path = f"{ORDERS}/{made.id}/cancel"
        visitor.ask("POST", path, answers.cancelled(made), name=f"POST {ORDERS}/{{id}}/cancel", body=SECOND_THOUGHTS)


JOURNEYS: dict[str, Journey] = {"shopping": shopping, "ordering": ordering}
