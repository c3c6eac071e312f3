"""What the chassis costs: throughput of services as a ratio to the same handlers without it, in the same run.

Needs no cluster: ``pytest tests/bench/test_chassis.py -s``. The catalog in all ways, because its handlers do least; and
each service that has a database, with every request and every statement traced.
"""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from chassis.database import Database
from chassis.local_data import DataServices, data_services
from chassis.migrations import migrate
from support.throughput import bare, chassis, collector, compared

BARE = "bare FastAPI"
REQUESTS = {"one product": "/v1/products/rope-01", "all products": "/v1/products"}
OF_SERVICES = {
    "orders": "/v1/orders?customer=ada",
    "inventory": "/v1/stock/rope-01",
    "payments": "/v1/accounts/bank/balance",
    "shipping": "/v1/shipments/o-1",
    "notifications": "/v1/notifications?customer=ada",
}


@pytest.fixture(scope="module")
def data() -> Iterator[DataServices]:
    with data_services() as running:
        yield running


def test_throughput_with_the_chassis_as_a_ratio_to_bare_fastapi(machine: str) -> None:
    ten_percent = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    with (
        collector() as endpoint,
        bare("catalog") as plain,
        chassis("catalog") as quiet,
        chassis("catalog", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **ten_percent) as sampled,
        chassis("catalog", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as traced,
        chassis("catalog", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, LOG_LEVEL="debug") as logged,
    ):
        arms = {
            BARE: plain,
            "chassis, no collector": quiet,
            "chassis, one request in ten traced": sampled,
            "chassis, every request traced": traced,
            "chassis, every request traced and logged": logged,
        }
        print(f"\n{machine}; ratios to bare FastAPI of the same round, by throughput and by CPU time a request")
        for title, path in REQUESTS.items():
            for arm, ratio in compared(arms, path, rounds=7).items():
                print(f"{title:13} {arm:41} {ratio}")


@pytest.mark.parametrize("service", OF_SERVICES)
def test_throughput_of_a_service_with_a_database(service: str, data: DataServices, machine: str) -> None:
    path, env = OF_SERVICES[service], {"DATABASE_URL": data.database_url(service)}
    asyncio.run(_migrated(env["DATABASE_URL"], service))
    with (
        collector() as endpoint,
        bare(service, **env) as plain,
        chassis(service, **env) as quiet,
        chassis(service, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **env) as traced,
    ):
        if service == "shipping":  # what was taken back is remembered, and so there is something to read
            httpx.delete(quiet.url + path).raise_for_status()
        arms = {BARE: plain, "chassis, no collector": quiet, "chassis, all traced": traced}
        print(f"\n{service}, GET {path} ({machine}):")
        for arm, ratio in compared(arms, path, rounds=5).items():
            print(f"{arm:22} {ratio}")


async def _migrated(url: str, service: str) -> None:
    database = Database(url, connections=1)
    await migrate(database, service, patience=10)
    await database.close()
