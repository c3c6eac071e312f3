"""What a service's OpenAPI document allows, and what it doesn't, asked of the service.

Whatever is asked, the answer must not be an error of the service's own, and must be one that its document knows.
"""

from contextlib import nullcontext, suppress
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

MODES: Final = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
_CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_PATIENCE: Final = 30.0
_OURS: Final = r"^/v1/carriers/[^/]+/conditions$"
"""How the simulated carriers behave: to make them fail isn't asking shipping for anything."""


def fuzz(url: str, *, examples: int, drawn_from: int) -> int:
    """Ask for each operation so often in each mode, and give how many requests that were."""
    load_all_checks()
    document = schemathesis.openapi.from_url(f"{url}/openapi.json").exclude(path_regex=_OURS)
    asked = 0
    with requests.Session() as session:
        for found in document.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            for mode in MODES:

                @seed(drawn_from)
                @settings(
                    max_examples=examples,
                    phases=(Phase.generate,),
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def ask(case: schemathesis.Case[Any]) -> None:
                    nonlocal asked
                    asked += 1
                    answer = case.call(session=session, timeout=_PATIENCE)
                    case.validate_response(answer, checks=_CHECKS)

                # What takes nothing can't be asked wrongly.
                with nullcontext() if mode.is_positive else suppress(Unsatisfiable):
                    ask()
    return asked
