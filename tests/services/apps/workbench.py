"""A service with what no service of the shop has: a bug, and a body of any length."""

from typing import Annotated

from fastapi import APIRouter, Body

from chassis.service import Service
from chassis.settings import Settings as Base
from chassis.settings import load

routes = APIRouter()


class Settings(Base):
    service: str = "workbench"


@routes.get("/bug")
async def read_bug() -> str:
    raise RuntimeError("the secret is 42")


@routes.post("/length")
async def tell_length(text: Annotated[str, Body()]) -> int:
    return len(text)


if __name__ == "__main__":
    service = Service(load(Settings), title="Workbench")
    service.offer(routes)
    service.run()
