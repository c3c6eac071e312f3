"""Requests and answers of payments as JSON."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from payments.domain.charge import Charge, Status
from payments.domain.money import LARGEST, Money
from payments.store.event_store import Recorded
from payments.store.invoices import Invoice

OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Customer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$", examples=["ada"])]
AccountName = Annotated[str, Field(pattern=r"^[a-z]+(:[A-Za-z0-9][A-Za-z0-9._@+-]{0,63})?$", examples=["customer:ada"])]
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))]
Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class MoneyView(BaseModel):
    """An amount of money."""

    model_config = ConfigDict(extra="forbid")

    amount: int = Field(ge=1, le=LARGEST, strict=True, description="In minor units: 1999 EUR is 19.99.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")

    @classmethod
    def of(cls, money: Money) -> Self:
        """The view of an amount."""
        return cls(amount=money.amount, currency=money.currency)

    def money(self) -> Money:
        """The amount."""
        return Money(self.amount, self.currency)


class ChargeRequest(BaseModel):
    """A charge to make."""

    model_config = ConfigDict(extra="forbid")

    orderId: OrderId  # noqa: N815 - JSON name
    customer: Customer
    amount: MoneyView
    method: Literal["card", "transfer"] = "card"


class RefundRequest(BaseModel):
    """Why money goes back."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = "refund asked for"


class ChargeView(BaseModel):
    """How the charge for an order stands."""

    orderId: str  # noqa: N815 - JSON name
    paymentId: str | None = Field(description="Null when nothing was ever asked for.")  # noqa: N815 - JSON name
    status: Status
    customer: str | None
    amount: MoneyView | None
    reason: str | None = Field(description="Of what became of it last, where it had one.")

    @classmethod
    def of(cls, charge: Charge) -> Self:
        """The view of a charge."""
        intent = charge.intent
        return cls(
            orderId=charge.order,
            paymentId=intent.payment if intent else None,
            status=charge.status,
            customer=intent.customer if intent else None,
            amount=MoneyView.of(charge.money) if intent else None,
            reason=charge.reason,
        )


class EventView(BaseModel):
    """Something that has happened."""

    version: int
    type: str
    recordedAt: datetime  # noqa: N815 - JSON name
    data: dict[str, str | int]

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        """The view of an event."""
        event = recorded.event
        return cls(version=recorded.version, type=event.TYPE, recordedAt=recorded.recorded_at, data=event.data())


class History(BaseModel):
    """All that has happened, in its order."""

    events: list[EventView]


class BalanceView(BaseModel):
    """An amount that may be below zero."""

    amount: int = Field(description="In minor units; what we have or are owed is above zero, what we earned below.")
    currency: str


class AccountView(BaseModel):
    """An account at a time."""

    account: str
    at: datetime
    version: int = Field(description="How many postings it had then.")
    balances: list[BalanceView] = Field(description="One a currency, in their order.")


class OwingView(BaseModel):
    """Accounts of customers who owe us something, from the projection."""

    accounts: list["AccountBalance"]


class AccountBalance(BalanceView):
    """What is on an account, as far as the projection has come."""

    account: str


class LedgerView(BaseModel):
    """All accounts together, added up from their first events."""

    balanced: bool
    totals: list[BalanceView] = Field(description="One a currency; zero, or the ledger is broken.")
    accounts: int
    negativeCustomers: list[str] = Field(description="Customers who have paid more than they owed.")  # noqa: N815


class ReconciliationView(BaseModel):
    """Our ledger beside the bank's statement."""

    agrees: bool
    differences: list["DifferenceView"]


class DifferenceView(BaseModel):
    """A reference about which they disagree."""

    reference: str
    what: str


class InvoiceView(BaseModel):
    """A demand for money."""

    id: str
    orderId: str  # noqa: N815 - JSON name
    customer: str
    amount: MoneyView
    status: str
    issuedAt: datetime  # noqa: N815 - JSON name
    dueAt: datetime  # noqa: N815 - JSON name

    @classmethod
    def of(cls, invoice: Invoice) -> Self:
        """The view of an invoice."""
        return cls(
            id=invoice.id,
            orderId=invoice.order,
            customer=invoice.customer,
            amount=MoneyView.of(invoice.money),
            status=invoice.status,
            issuedAt=invoice.issued_at,
            dueAt=invoice.due_at,
        )


class InvoiceList(BaseModel):
    """Some invoices, the latest first."""

    invoices: list[InvoiceView]


class RuleSetView(BaseModel):
    """Fraud rules in force."""

    version: int
    source: str
    rules: list[str] = Field(description="Their names, in the order in which they are asked.")
