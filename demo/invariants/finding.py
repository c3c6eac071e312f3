"""What is told of a rule that is broken."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """A row that breaks a rule: which one, what the row is about (an order, a stock), and how it is there."""

    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"
