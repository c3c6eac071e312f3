"""The catalog's handlers on FastAPI and uvicorn as they come, without the chassis: what it is compared with."""

import os

import uvicorn
from fastapi import FastAPI

from catalog.api import router
from catalog.products import Catalog

app = FastAPI()
app.include_router(router(Catalog.bundled()))


@app.get("/readyz")
async def read_readiness() -> str:
    return "ok"


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", log_config=None, access_log=False)
