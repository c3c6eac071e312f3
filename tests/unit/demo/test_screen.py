import io
from pathlib import Path

from rich.console import Console

from demo import picture, screen
from demo.kubectl import objects
from demo.rollout import Following
from demo.voyage import Check, Finding, Share
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
    assert text(console).splitlines() == [
        "  12:00:00 Starting   revision 2 starts beside stable revision 1",
        "  12:00:01 Shifting   to 10 %: ready",
    ]


def test_the_live_picture_can_be_drawn_from_the_first_moment_on() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with screen.Screen(console, live=True) as shown:
        following = Following()
        shown.show(following, Recording())
        following.take(revision(("Starting", 0, "begins")))
        shown.show(following, Recording((Request(0, "GET /x", 0, 0, 0.1, 200),)))
    assert "orders-2" in text(console)


def finding(*, holds: bool) -> Finding:
    return Finding(
        revision="orders-2",
        phase=Phase.SUCCEEDED,
        shares=(Share(10, 31, 300, Bound(9, 62)),),
        load=Recording((Request(0, "GET /x", 0, 0, 0.1, 200),)),
        checks=(Check("not allowed", "stranger asked catalog: 403 RBAC: access denied", holds=holds),),
    )


def test_the_summary_has_the_share_asked_for_and_the_share_seen() -> None:
    console = plain()
    console.print(screen.summary(finding(holds=True)))
    shown = text(console)
    for part in ("10 %", "10.3 %", "31 of 300", "9..62", "0 of 1", "403 RBAC: access denied"):
        assert part in shown
    assert "✘" not in shown


def test_the_summary_ends_with_what_does_not_hold() -> None:
    console = plain()
    console.print(screen.summary(finding(holds=False)))
    assert text(console).splitlines()[-1].strip() == "✘ not allowed: stranger asked catalog: 403 RBAC: access denied"


def test_the_picture_needs_nothing_from_anywhere(tmp_path: Path) -> None:
    console = picture.console()
    console.file = io.StringIO()
    console.print(screen.summary(finding(holds=True)))
    picture.save(console, tmp_path / "demo.svg")
    drawn = (tmp_path / "demo.svg").read_text()
    assert drawn.startswith("<svg")
    assert "10.3" in drawn
    assert "url(" not in drawn.replace("url(#", "")
    assert "font-face" not in drawn


def test_a_watch_is_cut_into_its_objects() -> None:
    stream = io.StringIO('{\n  "a": {\n  }\n}\n{\n  "b": 1\n}\n{\n  "half": ')
    assert list(objects(stream)) == [{"a": {}}, {"b": 1}]
