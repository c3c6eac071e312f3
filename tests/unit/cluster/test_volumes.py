import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import apps, sequence, volumes
from cluster.steps import Step

CHART = Path(__file__).parents[3] / "charts" / "shop"


def volume(phase: str) -> str:
    return json.dumps({"status": {"phase": phase}, "spec": {"local": {"path": "/var/lib/x"}}})


@pytest.mark.parametrize(("phase", "usable"), [("Available", True), ("Bound", True), ("Released", False)])
def test_a_volume_that_lost_its_claim_is_made_anew(
    phase: str, *, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "probe", lambda _: "")
    assert volumes._usable(volume(phase)) is usable


def test_a_volume_whose_folder_is_gone_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "probe", lambda _: None)
    assert not volumes._usable(volume("Bound"))
    assert not volumes._usable(None)


def test_what_the_shop_claims_is_what_is_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, str] = {}

    def noted(namespace: str, claims: dict[str, str]) -> Step:
        made.update(claims)
        return Step("volumes", lambda _: None, lambda: True)

    monkeypatch.setattr(sequence, "volumes_step", noted)
    monkeypatch.setattr(sequence, "shop_image_steps", list)
    monkeypatch.setattr(apps, "services", lambda: [apps.App("any", "services/Dockerfile", ())])
    sequence.shop_steps()
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert made == {f"data-{name}-0": values[name]["storage"] for name in ("postgres", "nats")}
