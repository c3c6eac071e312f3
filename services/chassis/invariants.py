"""What must be true of a service's data between any two transactions, asked of the database itself, and told.

A law is a query for what breaks it.
"""

from collections.abc import Mapping
from typing import Final, Self

from pydantic import Field
from sqlalchemy import Select

from chassis.database import Session
from chassis.views import View

_MOST: Final = 20


class CheckView(View):
    """A law."""

    name: str
    holds: bool
    broken: list[str] = Field(description=f"What breaks it, at most {_MOST} cases.")


class InvariantsView(View):
    """Whether all is well."""

    holds: bool
    checks: list[CheckView]

    @classmethod
    async def look(cls, session: Session, laws: Mapping[str, Select[str]]) -> Self:
        """Look at all of them, in one transaction."""
        checks = []
        for name, breaking in laws.items():
            broken = list(await session.scalars(breaking.limit(_MOST)))
            checks.append(CheckView(name=name, holds=not broken, broken=broken))
        return cls(holds=all(check.holds for check in checks), checks=checks)
