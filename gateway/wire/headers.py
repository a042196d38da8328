"""Header lists: which go on to a provider, which come back to an application, and where a key is.

A header list is `list[tuple[bytes, bytes]]` in wire order, its names in lower case, as HTTP parsers give
them.
"""

import re
from collections.abc import Collection
from functools import lru_cache

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
"""Headers of one connection (RFC 9110, 7.6.1), beside those that Connection names and all `proxy-` ones."""

_CREDENTIALS = (b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where SDKs put a key when it is no Bearer token, in the order in which they count."""

_REQUEST_ENDS_HERE = _HOP_BY_HOP.union(
    # who calls is not the provider's business
    {b"authorization", *_CREDENTIALS, b"cookie", b"forwarded", b"x-real-ip"},
    # set anew for the next hop
    {b"host", b"content-length", b"expect", b"content-encoding", b"accept-encoding"},
)
_REQUEST_PREFIXES_END_HERE = (b"proxy-", b"x-forwarded-", b"x-pinion-")

_RESPONSE_ENDS_HERE = _HOP_BY_HOP.union(
    # set anew by the server that answers
    {b"content-length", b"date", b"server"},
    # they speak of the provider's host, not of this one
    {b"set-cookie", b"alt-svc", b"strict-transport-security"},
)
_RESPONSE_PREFIXES_END_HERE = (b"proxy-", b"x-pinion-")
_UNSAFE = re.compile(rb"[\r\n\0]")
_RENAMED = {b"x-request-id": b"x-upstream-request-id"}


def first_values(headers: Headers) -> dict[bytes, bytes]:
    """The first value under each name, for who looks up several."""
    return dict(reversed(headers))


def value(headers: Headers | dict[bytes, bytes], name: bytes) -> bytes | None:
    """The first value under a lower-case name."""
    if isinstance(headers, dict):
        return headers.get(name)
    for key, content in headers:
        if key == name:
            return content
    return None


def text(headers: Headers | dict[bytes, bytes], name: bytes) -> str | None:
    """The first value under a lower-case name as text: UTF-8 where it is that, Latin-1 otherwise."""
    content = headers.get(name) if isinstance(headers, dict) else value(headers, name)
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def credential(headers: dict[bytes, bytes]) -> bytes | None:
    """The key that an application sent: a Bearer token, else x-api-key, else api-key, else x-goog-api-key.

    One that is empty does not count; None where there is no other.
    """
    scheme, _, token = headers.get(b"authorization", b"").strip().partition(b" ")
    if scheme.lower() == b"bearer" and (token := token.strip()):
        return token
    for name in _CREDENTIALS:
        if key := headers.get(name, b"").strip():
            return key
    return None


def forwardable_request(headers: Headers, *, drop: Collection[bytes] = ()) -> Headers:
    """What of an application's headers goes on to a provider, in order.

    Stays behind: what belongs to one hop, what tells who called and from where, every credential, Pinion's
    own headers, the names in `drop`, names with an underscore (servers read them as hyphens, so they could
    pass for a header that was taken off), and values that hold CR, LF or NUL.
    """
    ended = _ended(headers, drop)
    return [header for header in _safe(headers) if _goes_on(header[0]) and header[0] not in ended]


@lru_cache(maxsize=4096)
def _goes_on(name: bytes) -> bool:
    """Whether a header of this name may go on to a provider. Clients send the same few names again and again."""
    return not (name in _REQUEST_ENDS_HERE or name.startswith(_REQUEST_PREFIXES_END_HERE) or b"_" in name)


def forwardable_response(headers: Headers, *, drop: Collection[bytes] = (), secret: bytes = b"") -> Headers:
    """What of a provider's headers goes back to an application, in order.

    Stays behind: what belongs to one hop, what speaks of the provider's host, Pinion's own headers, the
    names in `drop` (content-encoding, where the body was decoded), and values that hold CR, LF or NUL, or the
    `secret` that Pinion showed the provider. The provider's x-request-id becomes x-upstream-request-id, for
    x-request-id is Pinion's.
    """
    ended = _ended(headers, drop)
    return [
        (back, content)
        for name, content in _safe(headers, secret)
        if (back := _comes_back_as(name)) is not None and name not in ended
    ]


@lru_cache(maxsize=4096)
def _comes_back_as(name: bytes) -> bytes | None:
    """The name under which a provider's header goes back; None where it stays behind."""
    if name in _RESPONSE_ENDS_HERE or name.startswith(_RESPONSE_PREFIXES_END_HERE):
        return None
    return _RENAMED.get(name, name)


def _ended(headers: Headers, drop: Collection[bytes]) -> Collection[bytes]:
    """The names that stay behind in this message: those in `drop`, and those that Connection lists."""
    said = [content for name, content in headers if name == b"connection"]
    return _listed(b",".join(said)).union(drop) if said else drop


@lru_cache(maxsize=256)
def _listed(said: bytes) -> frozenset[bytes]:
    """The names that a Connection header lists. Nearly every one says the same."""
    return frozenset(option.strip().lower() for option in said.split(b","))


def _safe(headers: Headers, secret: bytes = b"") -> Headers:
    """The headers whose values cannot end their line early and hold no secret; nearly always all, as one look tells."""
    values = b"".join([content for _, content in headers])
    if not (b"\n" in values or b"\r" in values or b"\0" in values or (secret and secret in values)):
        return headers
    return [header for header in headers if not (_UNSAFE.search(header[1]) or (secret and secret in header[1]))]
