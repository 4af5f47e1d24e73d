"""Who sent it: the secrets that a webhook must show, and one of its own for every call.

Hamsa signs nothing. It sends `Authorization: <auth_key> <auth_secret>`, in the words that the
agent or the call was given, and that is all the proof there is.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote

import attrs

from hamsa_async.errors import ConfigurationError, WebhookVerificationError
from hamsa_async.models.calls import WebhookAuth

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[bytes, bytes]]
"""A request's headers: any mapping, whatever the case of its names, or ASGI's pairs of bytes."""

_SHORTEST_MASTER: Final = 32  # characters
_LONGEST_REFERENCE: Final = 512  # characters, as the header carries it

# 192 bits: as text 32 characters, without padding.
_MAC_BYTES: Final = 24
# What a master secret signs besides, so that nothing else that it may sign passes for this.
_PURPOSE: Final = b"hamsa_async webhook secret, 1\0"


def _texts(given: Any) -> Any:
    """One secret or several: a text alone is one."""
    return (given,) if given is None or isinstance(given, str) else tuple(given)


def _check(_: object, attribute: "attrs.Attribute[Any]", secrets: tuple[Any, ...]) -> None:
    for secret in secrets:
        if not isinstance(secret, str) or not secret.isascii() or not secret.isprintable():
            raise ConfigurationError(f"{attribute.name} must be texts of printable ASCII")
        if not secret or secret != secret.strip():
            raise ConfigurationError(f"a secret of {attribute.name} is empty or ends in a blank")


def _check_master(_: object, attribute: "attrs.Attribute[Any]", secrets: tuple[str, ...]) -> None:
    if any(len(secret) < _SHORTEST_MASTER for secret in secrets):
        raise ConfigurationError(
            f"a secret of {attribute.name} must have {_SHORTEST_MASTER} characters or more: one"
            " call's secret would give a short one away to whoever tries them all. Make one with"
            " python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )


@attrs.frozen(kw_only=True)
class Secrets:
    """The secrets that webhooks may show. Several of a kind are for changing one for another.

    Raises:
        ConfigurationError: There is none, or one that cannot work; the text never shows it.
    """

    shared: tuple[str, ...] = attrs.field(
        default=(), converter=_texts, validator=_check, repr=False
    )
    """What an agent's `authSecret` is, for all of its calls. Proves that Hamsa sent an event, and
    not of which call."""

    master: tuple[str, ...] = attrs.field(
        default=(), converter=_texts, validator=[_check, _check_master], repr=False
    )
    """What each call's own secret is made from, see `auth_for`: the first makes them, and all
    are accepted. Never sent anywhere."""

    _digests: tuple[bytes, ...] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if not self.shared and not self.master:
            raise ConfigurationError(
                "give a shared or a master secret: without one, anybody's events would be believed"
            )
        object.__setattr__(self, "_digests", tuple(map(_digest, self.shared)))

    def auth_for(self, reference: str) -> WebhookAuth:
        """Make the `webhook_auth` of one call from its reference.

        Every event of the call then names and proves its call, whether or not it echoes the
        reference, and whoever learns this secret can speak of this call alone.

        Raises:
            ConfigurationError: There is no master secret, or the reference is empty or too long.
        """
        if not self.master:
            raise ConfigurationError("a secret for one call is made from a master secret")
        if not isinstance(reference, str) or not reference:
            raise ConfigurationError("reference must be a text that is not empty")
        name = quote(reference, safe="", errors="surrogatepass")
        if len(name) > _LONGEST_REFERENCE:
            raise ConfigurationError(
                f"the reference is too long for a header: {_LONGEST_REFERENCE} characters at most"
            )
        return WebhookAuth(auth_secret=f"{name}.{_mac(self.master[0], name)}")


def verify(headers: Headers, secrets: Secrets) -> str | None:
    """Prove that a webhook was sent by somebody who knows a secret of ours.

    `Token s`, `Bearer s`, `bearer Bearer s`, any other word before the secret, and the secret
    alone are accepted. How long it takes does not depend on which secret fits, or how nearly.

    Returns:
        The reference of the call that the secret was made for (`Secrets.auth_for`); `None` where
        it is a shared one.

    Raises:
        WebhookVerificationError: There is no such header, there are several, or none of the
            secrets is in it.
    """
    shown = [*_candidates(_authorization(headers))]
    is_shared, reference = False, None
    # Every pair is compared to its end, and none after another one fitted is left out: neither
    # the place of a secret in the list nor its first characters can be told from the time.
    for text in shown:
        digest = _digest(text)
        for known in secrets._digests:  # noqa: SLF001 - a part of the value, not of its face
            is_shared |= hmac.compare_digest(digest, known)
        name, _, mac = text.rpartition(".")
        for master in secrets.master:
            if hmac.compare_digest(_digest(mac), _digest(_mac(master, name))) and name:
                reference = unquote(name, errors="surrogatepass")
    if reference is None and not is_shared:
        raise WebhookVerificationError(
            "the webhook's Authorization is none of the known secrets: compare the agent's"
            " webhook settings with ours"
        )
    return reference


def _authorization(headers: Headers) -> str:
    found = [value for name, value in pairs_of(headers) if name == "authorization"]
    if not found:
        raise WebhookVerificationError("the webhook has no Authorization header")
    if len(found) > 1:
        raise WebhookVerificationError("the webhook has more than one Authorization header")
    return found[0]


def pairs_of(headers: Headers) -> Iterator[tuple[str, str]]:
    """Give headers as texts, their names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        yield _as_text(name).lower(), _as_text(value)


def _as_text(part: str | bytes) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else part


def _candidates(header: str) -> Iterator[str]:
    """What may be the secret: all of it, what follows its first word, and its second."""
    text = header.strip()
    for _ in range(3):
        yield text
        text = text.partition(" ")[2].lstrip()


def _mac(master: str, name: str) -> str:
    message = _PURPOSE + name.encode("utf-8", "surrogatepass")
    mac = hmac.digest(master.encode(), message, hashlib.sha256)[:_MAC_BYTES]
    return base64.urlsafe_b64encode(mac).decode()


def _digest(text: str) -> bytes:
    # `compare_digest` tells the length of what it compares, and takes no text beyond ASCII.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
