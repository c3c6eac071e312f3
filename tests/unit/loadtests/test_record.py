import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import record
from loadtests.record import Reader, Recording, Request, Sample, merge
from loadtests.served_by import Hop, parse

times = st.floats(0, 1e4, allow_nan=False)
names = st.from_regex(r"[a-z][a-z-]{0,10}", fullmatch=True)
hops = st.builds(Hop, service=names, revision=st.integers(0, 500), pod=names)
requests = st.builds(
    Request,
    number=st.integers(0, 10**9),
    name=st.text(max_size=20),
    intended=times,
    lag=times,
    latency=times,
    status=st.sampled_from([0, 200, 201, 404, 500, 503]),
    error=st.text(max_size=20),
    served_by=st.lists(hops, max_size=3).map(tuple),
)


def request(*, at: float = 0, latency: float = 0.1, status: int = 200, error: str = "", by: str = "") -> Request:
    return Request(0, "GET /x", at, 0.0, latency, status, error, parse(by))


def chain(found: tuple[Hop, ...]) -> str:
    return ", ".join(f"{hop.service};revision={hop.revision};pod={hop.pod}" for hop in found)


def line(one: Request, *, started: float) -> str:
    return record.request_line(
        number=one.number,
        name=one.name,
        offset=one.intended - started,
        lag=one.lag,
        latency=one.latency,
        status=one.status,
        error=one.error,
        chain=chain(one.served_by),
    )


@given(st.lists(hops, max_size=4).map(tuple))
def test_the_chain_of_services_is_read_as_it_was_written(found: tuple[Hop, ...]) -> None:
    assert parse(chain(found)) == found


@given(st.text())
def test_no_header_breaks_the_reading_of_the_chain(header: str) -> None:
    parse(header)


def test_a_hop_that_can_not_be_read_is_left_out() -> None:
    assert parse("gateway;revision=1;pod=a, ;pod=b, x;revision=new, static") == (
        Hop("gateway", 1, "a"),
        Hop("static", 0, ""),
    )


@given(st.lists(requests, max_size=20))
def test_a_record_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, made: list[Request]) -> None:
    path = tmp_path_factory.mktemp("records") / "load.jsonl"
    path.write_text(record.header_line(0.0, {}) + "".join(line(one, started=0.0) for one in made))
    assert record.read(path).requests == merge([Recording(tuple(made))]).requests


@given(st.lists(requests, max_size=20), st.randoms(use_true_random=False))
def test_merging_loses_nothing_and_knows_no_order(made: list[Request], random: object) -> None:
    parts = [Recording((one,)) for one in made]
    random.shuffle(parts)  # type: ignore[attr-defined]
    merged = merge(parts)
    assert sorted(merged.requests, key=repr) == sorted(made, key=repr)
    assert [one.intended for one in merged.requests] == sorted(one.intended for one in made)


def test_a_record_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    reader = Reader(path)
    reader.poll()
    assert not reader.begun
    whole = record.header_line(1000.0, {"worker": 2}) + line(request(at=1003), started=1000)
    path.write_text(whole + '[1, "half a l')
    reader.poll()
    assert reader.begun
    assert [one.intended for one in reader.recording().requests] == [1003]
    rest = line(request(at=1004), started=1000) + record.sample_line(at=1, cpu=0.5, lag=0.01)
    path.write_text(whole + rest + record.end_line(at=5, sent=2))
    reader.poll()
    assert [one.intended for one in reader.recording().requests] == [1003, 1004]
    assert reader.recording().samples == (Sample(1001, 0.5, 0.01, worker=2),)
    assert reader.recording().finished


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    path.write_text(json.dumps({"format": 99}) + "\n")
    with pytest.raises(ValueError, match="isn't a record of format 1"):
        record.read(path)


def test_a_merged_record_is_finished_when_all_its_parts_are() -> None:
    assert merge([Recording(finished=True), Recording(finished=True)]).finished
    assert not merge([Recording(finished=True), Recording()]).finished
    assert not merge([]).finished


@pytest.mark.parametrize(
    ("status", "error", "lost", "failed"),
    [
        (200, "", False, False),
        (404, "", False, False),
        (200, "costs 1 instead of 2", False, True),
        (500, "", True, True),
        (503, "503 instead of 200", True, True),
        (0, "ConnectionResetError", True, True),
    ],
)
def test_lost_is_what_had_no_answer_or_a_5xx(status: int, error: str, *, lost: bool, failed: bool) -> None:
    one = request(status=status, error=error)
    assert (one.lost, one.failed) == (lost, failed)


def test_a_window_holds_what_began_and_ended_in_it() -> None:
    seen = Recording(tuple(request(at=at, latency=2) for at in (9, 10, 11, 12, 13)))
    assert [one.intended for one in seen.between(10, 14).requests] == [10, 11, 12]


def test_a_split_counts_every_call_to_the_service() -> None:
    seen = Recording(
        (
            request(by="gateway;revision=1;pod=g, orders;revision=2;pod=a"),
            request(by="gateway;revision=1;pod=g, orders;revision=3;pod=b, catalog;revision=2;pod=c"),
            request(by="gateway;revision=1;pod=g, orders;revision=3;pod=b"),
            request(by="gateway;revision=1;pod=g"),
        )
    )
    split = seen.split("orders")
    assert split.counts == {2: 1, 3: 2}
    assert split.percent(3) == pytest.approx(200 / 3)
    assert seen.requests[1].revision_of("orders") == 3
    assert seen.requests[3].revision_of("orders") is None


def test_a_split_fits_the_share_that_made_it_and_no_far_one() -> None:
    split = record.Split("orders", {1: 360, 2: 40})
    assert split.fits(2, 10)
    assert not split.fits(2, 50)
    assert not split.fits(2, 0)
    assert not split.fits(3, 25)


def test_without_calls_nothing_fits() -> None:
    assert not record.Split("orders").fits(1, 0)


def test_failures_are_counted_by_what_went_wrong() -> None:
    seen = Recording((request(status=503), request(status=503), request(error="late"), request()))
    assert seen.failures == {"GET /x: 503": 2, "GET /x: late": 1}
