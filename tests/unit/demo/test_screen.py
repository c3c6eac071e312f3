import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console, RenderableType

from demo import picture, screen
from demo.kubectl import objects
from demo.rollout import Following
from demo.voyage import Check, Promotion, Rescue, Share
from loadtests import Bound, Recording, Request
from seatrial.api.revision import Phase, Revision

AT = "2026-11-21T12:00:0{}.000000Z"


def revision(*entries: tuple[str, int, str]) -> Revision:
    history = [
        {"at": AT.format(n), "phase": phase, "weight": weight, "reason": reason}
        for n, (phase, weight, reason) in enumerate(entries)
    ]
    made = {"number": 1, "phase": entries[-1][0], "startedAt": AT.format(0), "history": history}
    return Revision.parse(
        {
            "metadata": {"name": "orders-2"},
            "spec": {"service": "orders", "number": 2, "hash": "0", "template": {"image": "orders:dev"}},
            "status": {"attempts": [made]},
        }
    )


def plain() -> Console:
    return Console(file=io.StringIO(), width=120, highlight=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_entry_of_the_history_is_one_line_however_often_it_is_seen() -> None:
    console = plain()
    with screen.Screen(console, live=False) as shown:
        following = Following()
        shown.show(following, Recording())
        starting = ("Starting", 0, "revision 2 starts beside stable revision 1")
        for state in (revision(starting), revision(starting), revision(starting, ("Shifting", 10, "to 10 %: ready"))):
            following.take(state)
            shown.show(following, Recording())
    assert [line.rstrip() for line in text(console).splitlines()] == [
        "  12:00:00 Starting    revision 2 starts beside stable revision 1",
        "  12:00:01 Shifting    to 10 %: ready",
    ]


def test_a_sentence_of_the_history_is_told_once_and_stays_in_its_column() -> None:
    console = plain()
    decision = (
        "canary 37 of 512 requests failed (7.2 %), stable 3 of 9,731 (0.03 %), worse by at least 4.9 points at 95 %"
    )
    with screen.Screen(console, live=False) as shown:
        following = Following()
        following.take(revision(("RollingBack", 0, decision)))
        shown.show(following, Recording())
        following.take(revision(("RollingBack", 0, decision), ("RolledBack", 0, decision)))
        shown.show(following, Recording())
    assert [line.rstrip() for line in text(console).splitlines()] == [
        f"  12:00:00 RollingBack {decision.removesuffix(' points at 95 %')}",
        f"{'':23}points at 95 %",
        "  12:00:01 RolledBack  the proxies send it nothing any more",
    ]


def test_the_live_picture_can_be_drawn_from_the_first_moment_on() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with screen.Screen(console, live=True) as shown:
        following = Following()
        shown.show(following, Recording())
        following.take(revision(("Starting", 0, "begins")))
        shown.show(following, Recording((Request(0, "GET /x", 0, 0, 0.1, 200),)))
    assert "orders-2" in text(console)


PROMOTION = Promotion(
    revision="orders-2",
    phase=Phase.SUCCEEDED,
    shares=(Share(10, 31, 300, Bound(9, 62)),),
    reasons=(("to 50 %", "canary 0 of 93 requests failed, 1 pod ready"),),
    load=Recording((Request(0, "GET /x", 0, 0, 0.1, 200),)),
)
RESCUE = Rescue(
    revision="orders-3",
    phase=Phase.ROLLED_BACK,
    decision="canary 4 of 9 requests failed (44 %), rolled back after 2.1 s at 10 %",
    after=2.34,
    answered=9,
    harmed=4,
    lost=(),
    total=1204,
    since=Share(0, 0, 160, Bound(0, 0)),
)


def shown(*parts: RenderableType) -> str:
    console = plain()
    for part in parts:
        console.print(part)
    return text(console)


def test_the_summary_has_the_share_asked_for_and_the_share_seen_and_why() -> None:
    told = shown(screen.promotion(PROMOTION))
    for part in ("10 %", "10.3 %", "31 of 300", "9..62", "0 of 1", "to 50 %", "canary 0 of 93 requests failed"):
        assert part in told
    assert "✘" not in told


def test_a_rescue_is_told_with_its_decision_its_time_and_its_harm() -> None:
    told = shown(screen.rescue(RESCUE))
    for part in (
        "rolled back after 2.1 s at 10 %",
        "2.3 s after its first request",
        "4 of 1,204 requests failed; orders-3 took part in 9",
        "0 of 1,200",
        "stable got 160 of 160 calls",
    ):
        assert part in told
    assert "✘" not in told


def test_what_does_not_hold_of_a_rescue_is_marked() -> None:
    late = replace(RESCUE, phase=Phase.SUCCEEDED, since=Share(0, 3, 160, Bound(0, 0)), after=None)
    assert shown(screen.rescue(late)).count("✘") == 3


def test_a_check_is_marked_by_whether_it_holds() -> None:
    checks = [Check("not allowed", "stranger asked catalog: 403 RBAC", holds=True), Check("identity", "x", holds=False)]
    first, second = shown(screen.checked(checks)).split("\n")[:2]
    assert first.split()[:3] == ["✔", "not", "allowed"]
    assert "403 RBAC" in first
    assert second.split() == ["✘", "identity", "x"]


def test_the_summary_ends_with_what_does_not_hold() -> None:
    assert shown(screen.faults(["not allowed: 200"])).splitlines()[-1].strip() == "✘ not allowed: 200"


def test_the_picture_needs_nothing_from_anywhere(tmp_path: Path) -> None:
    console = picture.console()
    console.file = io.StringIO()
    console.print(screen.promotion(PROMOTION))
    picture.save(console, tmp_path / "demo.svg")
    drawn = (tmp_path / "demo.svg").read_text()
    assert drawn.startswith("<svg")
    assert "10.3" in drawn
    assert "url(" not in drawn.replace("url(#", "")
    assert "font-face" not in drawn


def test_a_watch_is_cut_into_its_objects() -> None:
    stream = io.StringIO('{\n  "a": {\n  }\n}\n{\n  "b": 1\n}\n{\n  "half": ')
    assert list(objects(stream)) == [{"a": {}}, {"b": 1}]
