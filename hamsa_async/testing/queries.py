"""Queries of the routes: what they may hold, and the page that they ask for."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from hamsa_async.testing.messages import refuse

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_FLAGS: Final = {"true": True, "false": False}
PERIODS: Final = ("LAST_HOUR", "TODAY", "YESTERDAY", "THIS_WEEK", "THIS_MONTH", "CUSTOM")


def needed(request: web.BaseRequest, *names: str) -> None:
    """Refuse a request that lacks one of these."""
    for name in names:
        if name not in request.query:
            raise refuse(400, f"{name} is missing")


def uuid_of(text: str, name: str) -> str:
    """Refuse what has not the form of an id."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise refuse(400, f"{name} must be an uuid")
    return text


def flag(request: web.BaseRequest, name: str) -> bool | None:
    """A boolean, or `None` where it is not given."""
    given = request.query.get(name)
    if given is None:
        return None
    if given not in _FLAGS:
        raise refuse(400, f"{name} must be true or false")
    return _FLAGS[given]


def one_of(request: web.BaseRequest, name: str, allowed: Sequence[str]) -> str | None:
    """One of these texts, or `None` where it is not given."""
    given = request.query.get(name)
    if given is not None and given not in allowed:
        raise refuse(400, f"{name} must be one of {', '.join(allowed)}")
    return given


def whole(request: web.BaseRequest, name: str, default: int, *, least: int) -> int:
    """A whole number."""
    given = request.query.get(name, str(default))
    if not _WHOLE.fullmatch(given) or int(given) < least:
        raise refuse(400, f"{name} must be a whole number, {least} or more")
    return int(given)


def page_in_skip(request: web.BaseRequest, rows: Sequence[Any]) -> Sequence[Any]:
    """The rows of a page, where `skip` counts pages from 1."""
    take = whole(request, "take", 10, least=1)
    first = (whole(request, "skip", 1, least=1) - 1) * take
    return rows[first : first + take]


def rows_in_skip(request: web.BaseRequest, rows: Sequence[Any]) -> Sequence[Any]:
    """The rows of a page, where `skip` counts rows from 0."""
    take = whole(request, "take", 10, least=1)
    first = whole(request, "skip", 0, least=0)
    return rows[first : first + take]


def search(
    request: web.BaseRequest, name_of: Callable[[Mapping[str, Any]], object]
) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a row has what is searched for in its name."""
    wanted = request.query.get("search", "").casefold()
    return lambda row: wanted in str(name_of(row) or "").casefold()
