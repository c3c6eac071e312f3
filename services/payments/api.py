"""Payments over HTTP: charges, accounts, invoices. What tells whether all is well is in ``audit_api``."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import JSONResponse

from chassis.database import Database
from chassis.problems import Problem
from payments import projection
from payments.charging import Charged, Charging, DifferentChargeError
from payments.domain.charge import Charge, Status, stream_of
from payments.origin import Origin
from payments.store import accounts, event_store, invoices
from payments.views import (
    AccountBalance,
    AccountName,
    AccountView,
    BalanceView,
    ChargeRequest,
    ChargeView,
    Customer,
    EventView,
    History,
    InvoiceList,
    InvoiceView,
    Moment,
    OrderId,
    OwingView,
    RefundRequest,
)

_NO_CHARGE = "Nothing was ever asked for this order. POST /v1/charges charges it."
_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": ChargeView, "description": "Accepted; the bank is late. An event tells the outcome."}
}


def charges(charging: Charging, database: Database) -> APIRouter:
    """Routes of charges and refunds."""
    routes = APIRouter(tags=["charges"])

    @routes.post("/v1/charges", status_code=201, response_model=ChargeView, responses=_ACCEPTED)
    async def charge_order(
        request: ChargeRequest,
        idempotency_key: Annotated[
            str | None,
            Header(
                pattern=r"^[\x21-\x7e]{1,128}$", description="Asked again with the same key, it is the same charge."
            ),
        ] = None,
    ) -> JSONResponse:
        """Charge an order, once however often it is asked for. Without a key the order is the key."""
        wanted = Charged(
            order=request.orderId,
            customer=request.customer,
            money=request.amount.money(),
            method=request.method,
            saga="orchestrated",
            key=idempotency_key or f"{request.orderId}/charge",
        )
        try:
            charge = await charging.charge(wanted, Origin.of_request())
        except DifferentChargeError as error:
            raise Problem(422, f"{error}. An order is charged once.", kind="other-charge") from error
        return _charged(charge)

    @routes.post("/v1/charges/{order_id}/refund", response_model=ChargeView, responses=_ACCEPTED)
    async def refund_order(order_id: Annotated[OrderId, Path()], request: RefundRequest | None = None) -> JSONResponse:
        """Give an order's money back; where none was taken, none ever will be."""
        reason = (request or RefundRequest()).reason
        charge = await charging.refund(order_id, reason, Origin.of_request())
        return _answer(charge, 202 if charge.open else 200)

    @routes.get("/v1/charges/{order_id}")
    async def read_charge(order_id: Annotated[OrderId, Path()]) -> ChargeView:
        """Read how the charge for an order stands."""
        charge = await charging.find(order_id)
        if charge.status is Status.NONE:
            raise Problem(404, _NO_CHARGE, kind="unknown-charge")
        return ChargeView.of(charge)

    @routes.get("/v1/charges/{order_id}/history")
    async def read_history(order_id: Annotated[OrderId, Path()]) -> History:
        """Read all that has happened to the charge for an order: there is nothing else to know about it."""
        async with database.transaction() as session:
            told = await event_store.load(session, stream_of(order_id))
        if not told:
            raise Problem(404, _NO_CHARGE, kind="unknown-charge")
        return History(events=[EventView.of(recorded) for recorded in told])

    return routes


def books(database: Database) -> APIRouter:
    """Routes of accounts and invoices."""
    routes = APIRouter(tags=["accounts"])

    @routes.get("/v1/accounts/{account}/balance")
    async def read_balance(
        account: Annotated[AccountName, Path()],
        at: Annotated[Moment | None, Query(description="Past time with its zone; without it, now.")] = None,
    ) -> AccountView:
        """Read what was on an account at a time. An account without postings is empty."""
        moment = at or datetime.now(UTC)
        async with database.transaction() as session:
            found = await accounts.account(session, account, at=at)
        balances = [BalanceView(amount=amount, currency=code) for code, amount in sorted(found.balances.items())]
        return AccountView(account=account, at=moment, version=found.version, balances=balances)

    @routes.get("/v1/accounts")
    async def list_owing(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> OwingView:
        """List who owes most. From the projection: a moment old, and nothing is decided by it."""
        async with database.transaction() as session:
            found = await projection.owing(session, limit=limit)
        rows = [AccountBalance(account=name, amount=amount, currency=code) for name, amount, code in found]
        return OwingView(accounts=rows)

    @routes.get("/v1/invoices", tags=["invoices"])
    async def list_invoices(
        customer: Annotated[Customer | None, Query()] = None,
        order: Annotated[OrderId | None, Query(alias="orderId")] = None,
        status: Annotated[str | None, Query(pattern="^(open|overdue|paid|cancelled|credited)$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> InvoiceList:
        """List invoices, the latest first."""
        async with database.transaction() as session:
            found = await invoices.find(session, limit=limit, customer=customer, order_id=order, status=status)
        return InvoiceList(invoices=[InvoiceView.of(invoice) for invoice in found])

    return routes


def _charged(charge: Charge) -> JSONResponse:
    """What whoever wants an order charged has to know. Raises a ``Problem`` where it isn't and won't be."""
    match charge.status:
        case Status.CHARGED:
            return _answer(charge, 201)
        case Status.INTENDED | Status.DEFERRED:
            return _answer(charge, 202)
        case Status.DECLINED:
            raise Problem(402, f"Not charged: {charge.reason}.", kind="declined", title="Payment declined")
        case _:
            detail = f"The charge for this order is {charge.status}: {charge.reason}."
            raise Problem(409, detail, kind="charge-over", title="Charge is over", chargeStatus=charge.status)


def _answer(charge: Charge, status: int) -> JSONResponse:
    headers = {"location": f"/v1/charges/{charge.order}"}
    return JSONResponse(ChargeView.of(charge).model_dump(mode="json"), status_code=status, headers=headers)
