"""How many decimals a currency has, and amounts as people write them: exact, without binary fractions."""

from typing import Final

_NONE: Final = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF")
_THREE: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_EXPONENTS: Final = {**dict.fromkeys(_NONE, 0), **dict.fromkeys(_THREE, 3)}


def exponent(currency: str) -> int:
    """Decimals of an ISO 4217 currency."""
    return _EXPONENTS.get(currency, 2)


def write(amount: int, currency: str, *, point: str = ".") -> str:
    """Minor units with the currency's decimals: 1999 EUR is ``19.99``, 1999 JPY is ``1999``."""
    places = exponent(currency)
    if places == 0:
        return str(amount)
    whole, rest = divmod(amount, 10**places)
    return f"{whole}{point}{rest:0{places}}"


def read(text: str, currency: str, *, point: str = ".") -> int:
    """Minor units of an amount. Raises ``ValueError`` unless it is digits with as many decimals as the currency has."""
    whole, found, rest = text.partition(point)
    places = exponent(currency)
    digits = whole.isdecimal() and text.isascii() and (rest.isdecimal() if found else not rest)
    if not digits or len(rest) != (places if found else 0) or (found and places == 0):
        raise ValueError(f"{text!r} is not an amount of {currency}, which has {places} decimals")
    return int(whole + rest.ljust(places, "0"))
