"""Every service asked whatever its OpenAPI document allows, and what it doesn't, thousands of times.

500 requests a service, operation and mode; ``SOAK=10`` is 50. ``SEED`` chooses them. Without a cluster.
"""

import os
from collections.abc import Iterator

import pytest

from chassis.local import Shop, services, shop
from support.fuzzing import fuzz

_WORD = os.environ.get("SOAK") or ""
EXAMPLES = 5 * (int(_WORD) if _WORD.isdigit() else 100)
SEED = int(os.environ.get("SEED") or 1)


@pytest.fixture(scope="module")
def asked() -> Iterator[Shop]:
    """A shop for this alone."""
    with shop(quiet=True, env={"LOG_LEVEL": "info"}) as running:
        yield running


@pytest.mark.parametrize("service", [name for name in services() if name != "bank"])
def test_whatever_a_service_is_asked_it_answers_as_its_document_says(asked: Shop, service: str) -> None:
    assert fuzz(asked[service].url, examples=EXAMPLES, drawn_from=SEED)
