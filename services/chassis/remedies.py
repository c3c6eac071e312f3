"""What to send instead, for each kind of request that doesn't validate: pydantic only says what is wrong."""

from typing import Any

_REMEDIES = {
    "missing": "add it",
    "extra_forbidden": "leave it out",
    "greater_than": "give a number greater than {gt}",
    "greater_than_equal": "give a number of at least {ge}",
    "less_than": "give a number less than {lt}",
    "less_than_equal": "give a number of at most {le}",
    "multiple_of": "give a multiple of {multiple_of}",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "string_type": "give a string",
    "string_too_short": "give at least {min_length} characters",
    "string_too_long": "give at most {max_length} characters",
    "string_pattern_mismatch": "give a string that matches {pattern}",
    "list_type": "give a list",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
    "literal_error": "give one of {expected}",
    "enum": "give one of {expected}",
    "model_attributes_type": "give a JSON object, with content-type application/json",
    "model_type": "give a JSON object",
    "dict_type": "give a JSON object",
}


def remedy(error: dict[str, Any]) -> str:
    """The remedy for one error of pydantic; for kinds without one, pydantic's own message."""
    template = _REMEDIES.get(error["type"])
    return template.format(**error.get("ctx", {})) if template else str(error["msg"])
