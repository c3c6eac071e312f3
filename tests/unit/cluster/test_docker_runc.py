import json
from pathlib import Path
from typing import Any

import pytest

from cluster.runc_bounded import CAPABILITIES, bounded, granted, option, rewrite, to_bound, verb_of

EVERYTHING = set(CAPABILITIES)
WITHOUT_RESOURCE = EVERYTHING - {"CAP_SYS_RESOURCE"}


def test_a_bounding_set_is_read_as_the_kernel_numbers_it() -> None:
    assert granted(0x1FFFFFFFFFF) == EVERYTHING
    assert granted(0x1FFFEFFFFFF) == WITHOUT_RESOURCE
    assert granted(1) == {"CAP_CHOWN"}


def test_capabilities_the_host_lacks_are_taken_out_of_every_set() -> None:
    process = {"capabilities": {kind: sorted(EVERYTHING) for kind in ("bounding", "effective", "permitted", "ambient")}}
    answer = bounded(process, WITHOUT_RESOURCE)
    assert all(set(names) == WITHOUT_RESOURCE for names in answer["capabilities"].values())


def test_a_process_that_asks_for_nothing_the_host_lacks_is_unchanged() -> None:
    process: dict[str, Any] = {"args": ["sh"], "oomScoreAdj": 500, "capabilities": {"bounding": ["CAP_CHOWN"]}}
    assert bounded(process, WITHOUT_RESOURCE) == process
    assert bounded({"args": ["sh"]}, WITHOUT_RESOURCE) == {"args": ["sh"]}
    assert bounded({"capabilities": None}, WITHOUT_RESOURCE) == {"capabilities": None}


def test_negative_oom_scores_are_dropped_only_where_they_cannot_be_had() -> None:
    assert bounded({"oomScoreAdj": -999}, WITHOUT_RESOURCE)["oomScoreAdj"] == 0
    assert bounded({"oomScoreAdj": -999}, EVERYTHING)["oomScoreAdj"] == -999


@pytest.mark.parametrize("spelling", [["--bundle", "/b"], ["-b", "/b"], ["--bundle=/b"]])
def test_the_bundle_is_found_in_any_spelling(spelling: list[str]) -> None:
    assert option(["--pid-file", "p", *spelling, "id"], "--bundle", "-b") == "/b"


def test_the_verb_stands_behind_global_options_and_their_values() -> None:
    words = ["--root", "create", "--log=/l", "--log-format", "json", "--systemd-cgroup", "exec", "-p", "f", "id"]
    assert verb_of(words) == ("exec", ["-p", "f", "id"])
    assert verb_of(["--version"]) == ("", [])


def test_only_what_starts_a_process_is_touched() -> None:
    assert to_bound(["create", "--bundle", "/b", "id"]) == ("/b/config.json", True)
    assert to_bound(["run", "id"]) == ("./config.json", True)
    assert to_bound(["exec", "--process", "/p.json", "id"]) == ("/p.json", False)
    assert to_bound(["exec", "id", "sh"]) is None
    assert to_bound(["delete", "--force", "create"]) is None
    assert to_bound([]) is None


def test_a_file_is_rewritten_for_a_container_and_for_a_process_in_one(tmp_path: Path) -> None:
    process = {"oomScoreAdj": -1}
    whole, single = tmp_path / "config.json", tmp_path / "process.json"
    whole.write_text(json.dumps({"process": process, "hostname": "h"}))
    single.write_text(json.dumps(process))
    rewrite(str(whole), WITHOUT_RESOURCE, whole=True)
    rewrite(str(single), WITHOUT_RESOURCE, whole=False)
    assert json.loads(whole.read_text()) == {"process": {"oomScoreAdj": 0}, "hostname": "h"}
    assert json.loads(single.read_text()) == {"oomScoreAdj": 0}
