"""Who is calling: the SPIFFE identity that our own sidecar took from the caller's certificate.

Envoy appends to ``x-forwarded-client-cert`` one element for the peer whose certificate it has verified itself, so only
the last element can be trusted; what stands before it is what the peer chose to send. Without a sidecar anyone can send
the header, so it names nobody outside the mesh. See Envoy's "x-forwarded-client-cert" in its HTTP header reference.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

HEADER: Final = "x-forwarded-client-cert"
_SCHEME = "spiffe://"


@lru_cache(maxsize=256)  # a pod is called by few others, with the same header each time, and reading it takes long
def caller(header: str | None) -> str | None:
    """SPIFFE ID of the direct peer, or None when the header has none.

    >>> caller('By=spiffe://td/a;Hash=0a;Subject="CN=x, O=y";URI=spiffe://cluster.local/ns/shop/sa/gateway')
    'spiffe://cluster.local/ns/shop/sa/gateway'
    """
    if not header:
        return None
    *_, nearest = _split(header, ",")
    for pair in _split(nearest, ";"):
        key, _, value = pair.strip().partition("=")
        uri = value.strip('"')
        if key.lower() == "uri" and uri.startswith(_SCHEME):
            return uri
    return None


def _split(text: str, separator: str) -> Iterator[str]:
    """Parts between separators that stand outside of double quotes; a backslash in quotes escapes."""
    start, quoted, escaped = 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            yield text[start:index]
            start = index + 1
    yield text[start:]
