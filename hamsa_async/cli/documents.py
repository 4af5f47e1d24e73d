"""What the API gave, as JSON for programs: whole values, numbers too, but no secret."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import attrs

from hamsa_async._masking import HIDDEN, scrub


def document(value: Any) -> dict[str, Any]:
    """Give one of our values as JSON: its fields by our names, `extra` by the API's."""
    made = attrs.asdict(value, value_serializer=lambda _, __, item: _native(item))
    cleaned: dict[str, Any] = _without_tokens(scrub(made))
    return cleaned


def host_of(url: object) -> str:
    """Name the host of a URL for people; what else stands in it may be a secret."""
    return _split(url).hostname or "?"


def _native(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _without_tokens(value: Any) -> Any:
    """Where webhooks go to, without what may let others call them."""
    if isinstance(value, Mapping):
        return {
            name: _bare(item) if _is_webhook(name, item) else _without_tokens(item)
            for name, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_tokens(item) for item in value]
    return value


def _is_webhook(name: object, value: Any) -> bool:
    return isinstance(value, str) and str(name).replace("_", "").lower() == "webhookurl"


def _bare(url: str) -> str:
    parts = _split(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(
        parts._replace(
            netloc=f"{HIDDEN}@{host}" if at and user else host,
            query=HIDDEN if parts.query else "",
            fragment="",
        )
    )


def _split(url: object) -> SplitResult:
    try:
        return urlsplit(str(url))
    except ValueError:  # brackets that are no address, say
        return urlsplit("")
