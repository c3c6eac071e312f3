"""Whatever a service is asked, it answers as its OpenAPI document says. The long form is tests/soak/test_fuzz.py."""

import pytest

from chassis.local import Shop, services
from support.fuzzing import fuzz

FUZZED = [name for name in services() if name != "bank"]
EXAMPLES = 5
SEED = 20261121


@pytest.mark.parametrize("service", FUZZED)
def test_whatever_a_service_is_asked_it_answers_as_its_document_says(processes: Shop, service: str) -> None:
    assert fuzz(processes[service].url, examples=EXAMPLES, drawn_from=SEED)
