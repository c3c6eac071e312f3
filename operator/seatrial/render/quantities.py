"""Kubernetes quantities in a spelling that the API server leaves alone: what is read back is what was written."""

import re
from fractions import Fraction

_SHAPE = re.compile(  # of bounded length: a user's 1e999999999 must not become a number
    r"^([+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30}))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_BINARY_NAMES = {0: "", **{power: name for name, power in _BINARY.items()}}
_NANO = Fraction(1, 10**9)


def canonical(quantity: str | int) -> str:
    """The one spelling of a quantity: no fraction, the largest suffix that loses nothing.

    Binary ones are rounded up to whole bytes. What isn't a quantity is returned as it is: the API server says what is
    wrong with it.

    >>> canonical("0.5"), canonical("1024Mi"), canonical(2)
    ('500m', '1Gi', '2')
    """
    text = str(quantity).strip()
    shape = _SHAPE.match(text)
    if shape is None:
        return text
    number, suffix, exponent = shape.groups()
    if suffix in _BINARY:
        value = Fraction(number) * 1024 ** _BINARY[suffix]
        return _binary(_ceiling(value, Fraction(1))) if abs(value) >= 1024 else _decimal(_to_nano(value))
    power = int(exponent) if exponent is not None else _DECIMAL[suffix or ""]
    return _decimal(_to_nano(Fraction(number) * Fraction(10) ** power), scientific=exponent is not None)


def _ceiling(value: Fraction, unit: Fraction) -> int:
    """How many units hold the value, rounded away from zero as Kubernetes rounds."""
    units = -(-abs(value) // unit)
    return int(units if value >= 0 else -units)


def _to_nano(value: Fraction) -> int:
    return _ceiling(value, _NANO)


def _binary(value: int) -> str:
    power = 0
    while value and value % 1024 == 0 and power < 6:
        value, power = value // 1024, power + 1
    return f"{value}{_BINARY_NAMES[power]}"


def _decimal(nano: int, *, scientific: bool = False) -> str:
    exponent = -9
    while nano and nano % 1000 == 0 and exponent < 18:
        nano, exponent = nano // 1000, exponent + 3
    if nano == 0 or exponent == 0:
        return str(nano)
    return f"{nano}e{exponent}" if scientific else f"{nano}{_DECIMAL_NAMES[exponent]}"
