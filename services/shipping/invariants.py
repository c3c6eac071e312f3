"""What must be true of shipments between any two transactions, asked of the database itself."""

from typing import Final

from sqlalchemy import func, select

from shipping.domain.shipment import Status
from shipping.tables import carrier_parcels, shipments, withdrawals

_UNDER_WAY: Final = (Status.BOOKED, Status.DISPATCHED, Status.DELIVERED)


_IN_THE_BOOKS: Final = (
    select(carrier_parcels.c.reference, func.count().label("parcels"))
    .where(~carrier_parcels.c.withdrawn)
    .group_by(carrier_parcels.c.reference)
    .subquery()
)
_OPEN: Final = select(withdrawals.c.order_id).where(withdrawals.c.due_at.is_not(None))
_PARCELS: Final = func.coalesce(_IN_THE_BOOKS.c.parcels, 0)
_BOTH: Final = shipments.outerjoin(_IN_THE_BOOKS, _IN_THE_BOOKS.c.reference == shipments.c.id)

LAWS: Final = {
    "no choreographed order is shipped unpaid": select(shipments.c.order_id).where(
        shipments.c.flow == "choreographed", shipments.c.status.in_(_UNDER_WAY), ~shipments.c.paid
    ),
    "a shipment under way is in the books of one carrier, once withdrawals are settled": select(shipments.c.order_id)
    .select_from(_BOTH)
    .where(shipments.c.status.in_(_UNDER_WAY), _PARCELS != 1, shipments.c.order_id.not_in(_OPEN)),
    "what failed or was cancelled is in nobody's books, once withdrawals are settled": select(shipments.c.order_id)
    .select_from(_BOTH)
    .where(
        shipments.c.status.in_((Status.FAILED, Status.CANCELLED)), _PARCELS != 0, shipments.c.order_id.not_in(_OPEN)
    ),
    "whatever is to be done has a time": select(shipments.c.order_id).where(
        shipments.c.status.in_((Status.REQUESTED, Status.BOOKED, Status.DISPATCHED)), shipments.c.due_at.is_(None)
    ),
}
