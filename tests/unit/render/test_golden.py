"""The whole of what is rendered, in files that a reviewer reads. `UPDATE_GOLDEN=1 pytest …` writes them anew."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.render import render, render_hosts


class _Plain(yaml.SafeDumper):
    """Writes a value that is there twice twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(p.parent.name for p in GOLDEN.glob("*/input.yaml"))


def rendered(case: str, make: Callable[..., Any]) -> list[dict[str, Any]]:
    given = yaml.safe_load((GOLDEN / case / "input.yaml").read_text())
    inputs = make(
        given["service"]["spec"],
        metadata=given["service"]["metadata"],
        revisions=given["revisions"],
        **given["routing"],
        scales=given["scales"],
        migrate=given.get("migrate", ()),
        live={(o["kind"], o["name"]): o["uid"] for o in given.get("live", ())},
        callees={
            (c["namespace"], c["name"]): {"selector": c["selector"], "target_ports": tuple(c["targetPorts"])}
            for c in given.get("callees", ())
        },
        fencing=given.get("fencing", 0),
    )
    objects = render(inputs)
    if given.get("hosts"):
        objects += render_hosts(inputs.namespace, [inputs.service], routed={inputs.name})
    return objects


@pytest.mark.parametrize("case", CASES)
def test_objects_are_those_of_the_golden_file(case: str, make: Callable[..., Any]) -> None:
    text = yaml.dump_all(rendered(case, make), Dumper=_Plain, sort_keys=False, width=120)
    golden = GOLDEN / case / "objects.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text(), f"{golden} differs: read the difference, then UPDATE_GOLDEN=1"
