import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.local import shop
from loadtests import open_load, run
from loadtests.plan import BUYERS, REQUESTS
from loadtests.verdict import Verdict

from .conftest import Target

CHECKOUT = ("gateway", "catalog", "orders", "inventory", "payments", "payments.ambassador", "bank")
UNTROUBLED = (Verdict.PASS, Verdict.INCONCLUSIVE)  # the machine may be too busy for the generator's own times


@pytest.fixture(scope="module")
def shop_url() -> Iterator[str]:
    with shop(quiet=True, names=CHECKOUT) as processes:
        yield processes["gateway"].url


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def reported(reports: Path) -> list[dict[str, Any]]:
    (folder,) = reports.iterdir()
    assert (folder / "summary.txt").read_text().strip()
    figures: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text())
    return figures


def test_a_user_of_the_real_shop_gets_right_answers_only(shop_url: str) -> None:
    with open_load(rate=10, duration=2, journey="shopping", host=shop_url) as load:
        result = load.wait()
    assert not result.failures
    visits = {request.number for request in result.requests}
    assert result.total == len(visits) * REQUESTS["shopping"]
    assert {request.name for request in result.requests} == {
        "GET /api/v1/catalog",
        "GET /api/v1/catalog/{sku}",
        "POST /api/v1/orders",
        "GET /api/v1/orders/{id}",
        "GET /api/v1/orders",
    }
    assert result.split("gateway").total == result.total
    buyers = [number for number in visits if number % BUYERS == 0]
    assert buyers
    assert result.split("orders").total == len(visits) * 2 + len(buyers)


def test_open_arrival_on_two_workers_ends_with_a_report(shop_url: str, tmp_path: Path) -> None:
    line = ["--rate", "40", "--duration", "3s", "--headless", "--workers", "2", "--host", shop_url]
    code = run.main([*line, "--reports", str(tmp_path)])
    (figures,) = reported(tmp_path)
    assert figures["failures"] == {}
    assert figures["requests"] > 40
    assert figures["verdict"] in UNTROUBLED
    assert code == Verdict(figures["verdict"]).exit_code
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.glob("run-1/worker-*.jsonl"))) == 2
    assert "<html" in (folder / "locust.html").read_text().lower()


def test_closed_users_have_locusts_page_while_they_shop(shop_url: str, tmp_path: Path, free_port: int) -> None:
    line = ["--users", "4", "--duration", "5s", "--page-port", str(free_port), "--host", shop_url]
    command = [sys.executable, "-m", "loadtests", *line, "--reports", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        stats = _page(free_port, "/stats/requests", within=60)
        assert running.wait(60) in {verdict.exit_code for verdict in UNTROUBLED}
        assert running.stdout is not None
        shown = running.stdout.read()
    assert "stats" in json.loads(stats)
    assert f"http://127.0.0.1:{free_port}" in shown
    (figures,) = reported(tmp_path)
    assert figures["failures"] == {}


def test_wrong_answers_end_with_fail_and_say_what_was_wrong(
    target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run.main(
        ["--rate", "50", "--duration", "1s", "--headless", "--host", target.url, "--reports", str(tmp_path)]
    )
    assert code == Verdict.FAIL.exit_code
    assert "GET /api/v1/catalog: 404 instead of 200: no such thing" in capsys.readouterr().out


def test_ctrl_c_ends_a_run_as_aborted_with_its_report(shop_url: str, tmp_path: Path) -> None:
    line = ["--rate", "20", "--duration", "10m", "--headless", "--host", shop_url, "--reports", str(tmp_path)]
    with subprocess.Popen([sys.executable, "-m", "loadtests", *line], stdout=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size > 1000 for path in tmp_path.glob("*/run-1/*.jsonl")):
            assert time.monotonic() < deadline
        running.send_signal(signal.SIGINT)
        assert running.wait(40) == Verdict.ABORTED.exit_code
    (figures,) = reported(tmp_path)
    assert figures["verdict"] == Verdict.ABORTED
    assert figures["failures"] == {}


def test_a_page_whose_port_is_taken_is_refused_with_a_remedy(
    free_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        assert run.main(["--rate", "1", "--page-port", str(free_port), "--reports", str(tmp_path)]) == 1
    assert "--page-port" in capsys.readouterr().out


def test_a_target_where_nobody_listens_is_refused_with_a_remedy(
    free_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--rate", "1", "--headless", "--host", f"http://127.0.0.1:{free_port}", "--reports", str(tmp_path)]
    assert run.main(line) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "  → make shop"


@pytest.mark.parametrize(
    "line",
    [
        ["--users", "2", "--journey", "ordering"],
        ["--users", "1", "--rate", "1"],
        ["--headless"],
        ["--rate", "1", "--duration", "soon"],
        ["--rate", "x"],
    ],
)
def test_a_wrong_command_line_is_wrong_usage(line: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.parse(line)
    assert ended.value.code == 2


def _page(port: int, path: str, *, within: float) -> str:
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            assert time.monotonic() < deadline, "Locust's page isn't there"


@pytest.mark.parametrize(("line", "journey"), [([], "shopping"), (["--journey", "ordering"], "ordering")])
def test_those_who_come_at_a_rate_go_on_the_journey_that_was_asked_for(line: list[str], journey: str) -> None:
    locust = run.parse(["--rate", "4", *line]).locust
    assert locust[locust.index("--journey") + 1] == journey
