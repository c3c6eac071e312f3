"""The sample shop's sagas: which of them wait for a person, and telling the shop what that person has decided.

Orders lets nobody in but the gateway, which has no route for this: it is for operators. So the way is a port-forward to
a pod of orders, which takes the right to make one (`pods/portforward`) and `kubectl`, or `--url` where it runs as a
plain process.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import httpx2
import typer
from rich.table import Table

from seatrial.api.names import LABEL_SERVICE
from seatrial.cli.cluster import Cluster, on_cluster
from seatrial.cli.complaint import Complaint
from seatrial.cli.options import Context, Format, Output, say, show, write
from seatrial.kube.kinds import POD

SERVICE = "orders"
PORT = 8080
PATIENCE = 20.0
_FORWARDS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")

shop = typer.Typer(help="Look after the sample shop.", no_args_is_help=True)
sagas = typer.Typer(help="Sagas of orders that aren't at their end.", invoke_without_command=True)
shop.add_typer(sagas, name="sagas")

Where = Annotated[str, typer.Option("--namespace", "-n", help="Where the shop is.")]
Url = Annotated[str | None, typer.Option("--url", help="Of orders, where it runs outside of a cluster.")]


def add_to(app: typer.Typer) -> None:
    """Make them commands of the program."""
    app.add_typer(shop, name="shop", rich_help_panel="The sample shop")


@sagas.callback()
def listing(  # noqa: PLR0913, PLR0917 # each is an option
    ctx: typer.Context,
    status: Annotated[str, typer.Option(help="stuck, running, compensating, …, or unended for all of them.")] = "stuck",
    namespace: Where = "shop",
    url: Url = None,
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """List sagas that wait for a person; --status names others."""
    if ctx.invoked_subcommand is not None:
        return
    with _orders(url, namespace, context) as orders:
        found = _all(orders, status)
    if output is not Output.TEXT:
        write(found, output)
    elif found:
        show(_table(found))
    else:
        say(f"no saga is {status}")


@sagas.command()
def resolve(  # noqa: PLR0913, PLR0917 # each is an option
    order: Annotated[list[str], typer.Argument(help="Ids of orders, which are those of their sagas.")],
    reason: Annotated[str, typer.Option(help="Kept with the saga.")],
    action: Annotated[str, typer.Option(help="retry, compensate, or abandon what was settled by hand.")] = "retry",
    namespace: Where = "shop",
    url: Url = None,
    output: Format = Output.TEXT,
    context: Context = None,
) -> None:
    """Decide about sagas: try again, take back what was done, or take them as settled by hand."""
    with _orders(url, namespace, context) as orders:
        told = [_ask(orders, "POST", f"/v1/sagas/{one}/resolve", {"action": action, "reason": reason}) for one in order]
    if output is not Output.TEXT:
        write(told, output)
    else:
        for saga in told:
            say(f"{saga['sagaId']}: {saga['status']}")


def _all(orders: httpx2.Client, status: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        query = {"status": status, "limit": "100", **({"after": after} if after else {})}
        page = _ask(orders, "GET", str(httpx2.URL("/v1/sagas", params=query)))
        found += page["sagas"]
        after = page["next"]
        if after is None:
            return found


def _ask(orders: httpx2.Client, method: str, path: str, body: object = None) -> dict[str, Any]:
    try:
        answer = orders.request(method, path, json=body)
        told: dict[str, Any] = answer.json()
    except (httpx2.HTTPError, json.JSONDecodeError) as error:
        raise Complaint(f"orders can't be asked: {error}", "see `seatrial status orders -n shop`") from error
    if answer.is_success:
        return told
    remedies = [f"{wrong['field']}: {wrong['remedy']}" for wrong in told.get("errors") or ()]
    remedy = "; ".join(remedies) or "`seatrial shop sagas --status unended` lists what can be resolved"
    raise Complaint(str(told.get("detail", answer.text)).rstrip("."), remedy)


@contextmanager
def _orders(url: str | None, namespace: str, context: str | None) -> Iterator[httpx2.Client]:
    if url is not None:
        with httpx2.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
            yield client
        return
    pod = on_cluster(context, lambda cluster: _pod(cluster, namespace))
    command = ["kubectl", "port-forward", "--namespace", namespace, f"pod/{pod}", f":{PORT}"]
    with (
        _forwarded([*command, *(["--context", context] if context else [])]) as port,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as client,
    ):
        yield client


async def _pod(cluster: Cluster, namespace: str) -> str:
    """A ready pod of orders."""
    for pod in await cluster.kube.list(POD, namespace, labels={LABEL_SERVICE: SERVICE}):
        conditions = pod.get("status", {}).get("conditions", ())
        if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            return str(pod["metadata"]["name"])
    await cluster.must_exist(namespace)
    raise Complaint(f"no pod of {SERVICE} is ready in namespace {namespace}", f"see `seatrial status -n {namespace}`")


@contextmanager
def _forwarded(command: Sequence[str]) -> Iterator[int]:
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError as error:
        raise Complaint(
            "kubectl isn't on the PATH", "install it, or give --url of a port-forward of your own"
        ) from error
    with process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = _FORWARDS.match(said)
            if found is None:
                process.terminate()
                why = process.stderr.read() if process.stderr else ""
                raise Complaint(f"no way to orders: {' '.join(why.split())}", "ask for the right to pods/portforward")
            yield int(found.group(1))
        finally:
            process.terminate()


def _table(found: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ORDER", "TYPE", "STATUS", "DONE", "TO UNDO", "SINCE", "WHY"):
        table.add_column(heading, overflow="fold")
    for saga in found:
        data = saga["data"]
        done, undo = ", ".join(saga["completedSteps"]), ", ".join(data["toUndo"])
        since = saga["updatedAt"][:19].replace("T", " ")
        why = data["trouble"] or data["reason"] or ""
        table.add_row(saga["sagaId"], saga["type"], saga["status"], done, undo, since, why)
    return table
