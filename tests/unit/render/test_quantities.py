import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.render.quantities import canonical

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

# The right column is what the API server gives back unchanged.
SPELT = [
    ("0.5", "500m"),
    ("0.05", "50m"),
    (".5", "500m"),
    ("1.", "1"),
    (2, "2"),
    ("1000m", "1"),
    ("1500m", "1500m"),
    ("1000", "1k"),
    ("1024", "1024"),
    ("1024Mi", "1Gi"),
    ("1.5Gi", "1536Mi"),
    ("0.5Gi", "512Mi"),
    ("100Ki", "100Ki"),
    ("0.5Ki", "512"),
    ("0Mi", "0"),
    ("128974848", "128974848"),
    ("129e6", "129e6"),
    ("129M", "129M"),
    ("1e3", "1e3"),
    ("1E", "1E"),
    ("0.1n", "1n"),
    ("100u", "100u"),
]


@pytest.mark.parametrize(("given_", "stored"), SPELT)
def test_a_quantity_has_one_spelling(given_: str | int, stored: str) -> None:
    assert canonical(given_) == stored


@pytest.mark.parametrize("text", ["", "lots", "1.2.3", "1Kii", "$(X)"])
def test_what_is_no_quantity_is_left_for_the_api_server_to_refuse(text: str) -> None:
    assert canonical(text) == text


@CALM
@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-3", "n", "u"]))
def test_spelling_it_again_changes_nothing(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert canonical(once) == once
