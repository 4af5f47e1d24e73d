"""One webhook request, judged: what to answer, and what to store before that is answered.

Pure: requests come in as values and go out as values. The receiver gives it time and a store.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs

from hamsa_async.models.webhooks import WebhookEvent
from hamsa_async.webhooks.parsing import parse
from hamsa_async.webhooks.secrets import Headers, Secrets, pairs_of, verify

HEALTH: Final = "/health"
"""How the path ends at which a GET is told that the receiver is there."""

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_ZLIB: Final[Mapping[str, int]] = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@attrs.frozen(kw_only=True)
class Delivery:
    """One webhook request, as it is to be stored. The same event may be delivered again."""

    key: str
    """The same for every delivery of the same event: equal content, of the same call. A store
    whose keys are unique holds each event once."""

    body: bytes = attrs.field(repr=False)
    """What came, as it came. `parse(body, reference=reference)` gives the event again."""

    reference: str | None
    """The call that its secret was made for, which is proven; `None` under a shared secret."""

    received_at: datetime
    """By our clock. Aware."""

    event: WebhookEvent


@attrs.frozen(kw_only=True)
class Reply:
    """What is answered.

    Attributes:
        status: The HTTP status.
        action: Which answer it is, in the log and in the receiver's counts.
        says: The same for people.
        headers: Besides those of every answer.
        stays: Whether the connection may serve another request: not where the rest of this one
            was not read.
    """

    status: int
    action: str
    says: str
    headers: Mapping[str, str] = _NO_HEADERS
    stays: bool = True

    @property
    def body(self) -> bytes:
        """What it says, as JSON."""
        return json.dumps({"message": self.says}).encode()


STORED: Final = Reply(status=200, action="stored", says="stored")
REPEATED: Final = Reply(status=200, action="repeated", says="stored already")
HEALTHY: Final = Reply(status=200, action="healthy", says="ready for webhooks")
JUNK: Final = Reply(status=400, action="junk", says="the body is no event of a call")
CUT: Final = Reply(status=400, action="cut", says="the body was cut short", stays=False)
# No more than that: why it was refused is for the log.
REFUSED: Final = Reply(
    status=401,
    action="refused",
    says="who sent this is not proven",
    headers={"WWW-Authenticate": "Token"},
    stays=False,
)
NOT_A_POST: Final = Reply(
    status=405,
    action="not_a_post",
    says="webhooks are POSTed",
    headers={"Allow": "POST"},
    stays=False,
)
TOO_SLOW: Final = Reply(
    status=408, action="too_slow", says="the body did not come in time", stays=False
)
TOO_LARGE: Final = Reply(
    status=413, action="too_large", says="the body is larger than an event can be", stays=False
)
NOT_DECODED: Final = Reply(
    status=415,
    action="not_decoded",
    says="the body's Content-Encoding is not known here, or is not what the body has",
    headers={"Accept-Encoding": "gzip, deflate"},
    stays=False,
)
# None of these counts as delivered, and each may be sent again.
NOT_STORED: Final = Reply(
    status=503,
    action="not_stored",
    says="not stored; send it again",
    headers={"Retry-After": "1"},
)
# The store goes on with it.
NOT_IN_TIME: Final = attrs.evolve(NOT_STORED, action="late", says="not stored yet; send it again")
TOO_BUSY: Final = attrs.evolve(
    NOT_STORED, action="too_busy", says="too busy; send it again", stays=False
)


@attrs.frozen(kw_only=True)
class Opening:
    """A request whose headers may pass. Its body is worth reading.

    Attributes:
        reference: The call that its secret was made for.
        encoding: The one encoding of its body, empty for none.
        limit: The most bytes that the body may have, before and after it is decoded.
    """

    reference: str | None
    encoding: str
    limit: int


def open_request(
    method: str, path: str, headers: Headers, *, secrets: Secrets, limit: int
) -> Opening | Reply:
    """Judge a request by its headers, before anything of its body is read.

    Raises:
        WebhookVerificationError: It shows no secret of ours; the answer is `REFUSED`.
    """
    if method.upper() in {"GET", "HEAD"} and path.endswith(HEALTH):
        return HEALTHY
    if method.upper() != "POST":
        return NOT_A_POST
    given = dict(pairs_of(headers))
    reference = verify(headers, secrets)
    length = given.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        return TOO_LARGE
    encoding = given.get("content-encoding", "").strip().lower()
    encoding = "" if encoding == "identity" else encoding
    if encoding and encoding not in _ZLIB:
        return NOT_DECODED
    return Opening(reference=reference, encoding=encoding, limit=limit)


def decoded(body: bytes, opening: Opening) -> bytes | Reply:
    """Undo a body's encoding, and never to more than it may be."""
    if not opening.encoding:
        return body
    unpack = zlib.decompressobj(_ZLIB[opening.encoding])
    try:
        plain = unpack.decompress(body, opening.limit + 1)
    except zlib.error:
        return NOT_DECODED
    if len(plain) > opening.limit:
        return TOO_LARGE
    return plain if unpack.eof else NOT_DECODED


def deliver(body: bytes, *, reference: str | None, now: datetime) -> Delivery:
    """Make of a body what is to be stored.

    Raises:
        WebhookParseError: It is no event; the answer is `JUNK`.
        WebhookVerificationError: It is not of the call that its secret was made for.
    """
    return Delivery(
        key=key_of(body, reference=reference),
        body=body,
        reference=reference,
        received_at=now,
        event=parse(body, reference=reference),
    )


def key_of(body: bytes, *, reference: str | None) -> str:
    """Name an event by all that it says.

    Hamsa gives events no id, and neither times nor types keep them apart: two turns of one
    transcript may fall into one millisecond. What is counted twice does less harm than what is
    taken for something else, so only equal bytes are the same event. The proven reference is in
    it, so that nobody can send another call's event first, under a secret of their own.
    """
    of = b"" if reference is None else reference.encode("utf-8", "surrogatepass")
    return hashlib.sha256(hashlib.sha256(of).digest() + body).hexdigest()
