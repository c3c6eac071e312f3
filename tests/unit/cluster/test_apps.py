from pathlib import Path

import pytest

from cluster import apps


def put(folder: Path, name: str, text: str = "") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with two services, on a machine whose base image can be changed."""
    monkeypatch.setattr(apps, "ROOT", tmp_path)
    monkeypatch.setattr(apps, "_image_id", lambda _: (tmp_path / "base").read_text())
    put(tmp_path, "base", "sha256:1")
    put(tmp_path, "requirements/shop.txt", "fastapi==1")
    put(tmp_path, "services/Dockerfile", "FROM scratch")
    for name in ("chassis", "orders", "gateway"):
        put(tmp_path, f"services/{name}/__init__.py")
    put(tmp_path, "services/README.md")
    return tmp_path


def test_every_service_has_an_image_and_the_chassis_has_none(repository: Path) -> None:
    assert [service.name for service in apps.services()] == ["gateway", "orders"]


def test_the_services_share_one_tag(repository: Path) -> None:
    assert len({service.tag for service in apps.services()}) == 1
    assert apps.service("orders").image == f"seatrial/orders:{apps.service('gateway').tag}"


@pytest.mark.parametrize(
    "file",
    [
        "services/chassis/health.py",
        "services/orders/__init__.py",
        "services/Dockerfile",
        "requirements/shop.txt",
        "base",
    ],
)
def test_a_change_in_anything_an_image_is_made_of_gives_it_another_tag(repository: Path, file: str) -> None:
    before = apps.service("orders").tag
    put(repository, file, "changed")
    assert apps.service("orders").tag != before


def test_a_change_elsewhere_leaves_the_tag(repository: Path) -> None:
    before = apps.service("orders").tag
    put(repository, "operator/seatrial/new.py", "x")
    assert apps.service("orders").tag == before


def test_pip_in_a_build_asks_the_index_that_pip_asks_here() -> None:
    listing = """
:env:.index-url='https://mirror.internal/simple'
:env:.find-links='/opt/wheels'
global.cert='/etc/ssl/certs/ca-certificates.crt'
global.index-url='https://other.internal/simple'
global.timeout='60'
global.trusted-host='mirror.internal'
"""
    settings = apps.pip_settings(listing)
    assert settings.split() == [
        "[global]",
        *["index-url", "=", "https://mirror.internal/simple"],
        *["timeout", "=", "60"],
        *["trusted-host", "=", "mirror.internal"],
    ]


def test_a_percent_sign_in_an_address_survives() -> None:
    assert "user:a%40b@" in apps.pip_settings("global.index-url='https://user:a%40b@mirror.internal/'")
