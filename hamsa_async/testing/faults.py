"""The ways in which a server can let its client down, as a table, and a plan of when they strike.

A plan is made in code,

    plan = FaultPlan(seed=7)
    plan.next("drop_after", count=2)                          # the next two calls
    plan.for_number("+971500000123", "status_500", rings=False)
    plan.at_rate("rate_limited", 0.05, retry_after="NaN")     # one call in twenty

or read from a JSON file with `FaultPlan.from_json`:

    {
      "seed": 7,
      "next":    [{"fault": "drop_after", "count": 2}],
      "numbers": [{"number": "+971500000123", "fault": "status_500", "rings": false}],
      "rates":   [{"rate": 0.05, "fault": "rate_limited", "retry_after": "NaN"}]
    }

Every part may be left out. An entry names its `fault`, may say `on` which kind of route it
strikes (`"call"`, the default, `"read"`, `"write"` or `"any"`), and carries the options of its
fault. A `write` is everything that changes something and places no call: a batch, an agent.
`count` may limit an entry of `next` (default 1) or `numbers` (default: every time).

`next` goes before `numbers`, and `numbers` before `rates`. A fault strikes requests that would
have been accepted: one that is refused anyway (no key, bad body, over a limit) uses none up.
A read has a number only where it asks for one call; its faults ring nothing. Where a fault rings
a phone, another write is carried out, and where it does not, nothing comes of the write.

Options, where a fault takes them: `rings` (does the phone ring, is the write done?), `body`
(`"json"`, `"html"`, `"empty"`), `retry_after` (text of that header, word for word; a number is
written as it is; `null`: no header), `retry_after_date` (an HTTP date so many seconds from now,
negative for the past; goes before `retry_after`), `seconds`, `text`, `status`, `location`.
"""

import asyncio
import json
import math
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs
from attrs import validators

from hamsa_async._masking import mask_number

Kind = Literal["call", "read", "write"]
Scope = Literal["call", "read", "write", "any"]

_SCOPES: Final = ("call", "read", "write", "any")
_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})
# What an answer calls the id of what was made: the second call route has its own word.
_IDS: Final = ("id", "jobId")
_JSON: Final = "application/json; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"

# Answers that a careful client takes as proof that nobody was rung. A fault that rang all the
# same would blame the client for what it could not know, so these ring only when told to.
_REFUSALS: Final = frozenset({400, 401, 402, 403, 404, 413, 415, 422, 429, *range(300, 400)})

# Message and key of error bodies: the contract's examples, and the HTTP phrase for the rest.
_ERRORS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        400: ("Invalid request", "BAD_REQUEST"),
        401: ("Invalid API key", "AUTH_INVALID_KEY"),
        403: ("You do not have access to this resource", "FORBIDDEN"),
        404: ("Resource not found", "NOT_FOUND"),
        422: ("Request body does not match the schema", "VALIDATION_ERROR"),
        429: ("Too many requests", "RATE_LIMIT_EXCEEDED"),
        500: ("Internal server error", "INTERNAL_SERVER_ERROR"),
    }
)


@attrs.frozen(kw_only=True)
class Answer:
    """An HTTP answer as a value: what is said, before anybody says it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(default=MappingProxyType({"Content-Type": _JSON}))

    @classmethod
    def of(cls, value: object, *, status: int = 200) -> "Answer":
        """An answer whose body is a value as JSON."""
        return cls(status=status, body=json.dumps(value, ensure_ascii=False).encode())

    @classmethod
    def error(cls, status: int, message: str | None = None) -> "Answer":
        """An error as the contract words it."""
        usual, key = _ERRORS.get(status) or (_phrase(status), f"HTTP_{status}")
        body = {"success": False, "message": message or usual, "messageKey": key}
        return cls.of(body, status=status)

    def with_header(self, name: str, value: str | None) -> "Answer":
        """The same with one header more, or unchanged where there is no value."""
        if value is None:
            return self
        return attrs.evolve(self, headers={**self.headers, name: value})


@attrs.frozen(kw_only=True)
class Exchange:
    """What a fault gets to spoil.

    Attributes:
        answer: The answer that was about to be given.
        target: Path and query of the request.
        transport: The connection; `None` where the client has gone already.
        gone: Set when the connection is gone or the server stops.
        now: The server's time.
    """

    answer: Answer
    target: str
    transport: asyncio.Transport | None
    gone: asyncio.Event
    now: datetime


Act = Callable[[Exchange, Mapping[str, Any]], Awaitable[Answer | None]]


@attrs.frozen(kw_only=True)
class Fault:
    """One way of going wrong.

    Attributes:
        name: Its name in plans.
        what: What it does, in a sentence.
        rings: Does the phone ring, is another write done, unless the plan says otherwise?
        fixed: Is `rings` no option of it?
        options: The options that it takes, with their defaults.
        act: Does it: returns what to answer, or `None` where it took the connection over.
    """

    name: str = attrs.field(validator=validators.instance_of(str))
    what: str = attrs.field(validator=validators.instance_of(str))
    rings: bool = attrs.field(validator=validators.instance_of(bool))
    fixed: bool = False
    options: Mapping[str, Any] = _NO_OPTIONS
    act: Act = attrs.field(repr=False)


async def _close(exchange: Exchange, _: Mapping[str, Any]) -> None:
    if exchange.transport is not None:
        exchange.transport.close()


async def _reset(exchange: Exchange, _: Mapping[str, Any]) -> None:
    if exchange.transport is None:
        return
    # Lingering for 0 seconds turns the close into an RST.
    linger = struct.pack("ii", 1, 0)
    sock = exchange.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    exchange.transport.abort()


async def _cut(exchange: Exchange, _: Mapping[str, Any]) -> None:
    body = exchange.answer.body
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {_JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    _last_words(exchange, head.encode() + body[: len(body) // 2])


async def _not_http(exchange: Exchange, _: Mapping[str, Any]) -> None:
    _last_words(exchange, b"220 this.is.not.http ESMTP ready\r\n\r\n")


async def _hang(exchange: Exchange, _: Mapping[str, Any]) -> None:
    await exchange.gone.wait()


async def _slow(exchange: Exchange, options: Mapping[str, Any]) -> Answer:
    await asyncio.sleep(options["seconds"])
    return exchange.answer


async def _junk(_: Exchange, options: Mapping[str, Any]) -> Answer:
    return Answer(body=options["text"].encode())


async def _no_id(exchange: Exchange, _: Mapping[str, Any]) -> Answer:
    value = json.loads(exchange.answer.body)
    if not isinstance(value["data"], dict):  # a list, a text, nothing: it has no id
        return exchange.answer
    data = {name: item for name, item in value["data"].items() if name not in _IDS}
    return Answer.of({**value, "data": data})


async def _redirect(exchange: Exchange, options: Mapping[str, Any]) -> Answer:
    answer = Answer.error(options["status"])
    return answer.with_header("Location", options["location"] or exchange.target)


async def _success_false(_: Exchange, options: Mapping[str, Any]) -> Answer:
    return Answer.of({"success": False, "message": options["text"]})


async def _empty(exchange: Exchange, _: Mapping[str, Any]) -> Answer:
    return _empty_body(200, exchange)


def _answering(status: int) -> Act:
    async def act(exchange: Exchange, options: Mapping[str, Any]) -> Answer:
        answer = _BODIES[options["body"]](status, exchange)
        return answer.with_header("Retry-After", _retry_after(options, exchange.now))

    return act


def _last_words(exchange: Exchange, raw: bytes) -> None:
    if exchange.transport is not None:
        exchange.transport.write(raw)
        exchange.transport.close()


def _json_body(status: int, exchange: Exchange) -> Answer:
    if 200 <= status < 300:
        return attrs.evolve(exchange.answer, status=status)
    return Answer.error(status)


def _html_body(status: int, _: Exchange) -> Answer:
    title = f"{status}: {_phrase(status)}"
    page = (
        f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n"
        f"<h1>{title}</h1>\n<hr><center>cloudflare</center>\n</body>\n</html>\n"
    )
    return Answer(status=status, body=page.encode(), headers={"Content-Type": _HTML})


def _empty_body(status: int, _: Exchange) -> Answer:
    return Answer(status=status, headers={})


_BODIES: Final[Mapping[str, Callable[[int, Exchange], Answer]]] = MappingProxyType(
    {"json": _json_body, "html": _html_body, "empty": _empty_body}
)


def _retry_after(options: Mapping[str, Any], now: datetime) -> str | None:
    from_now = options["retry_after_date"]
    if from_now is not None:
        return format_datetime(now + timedelta(seconds=from_now), usegmt=True)
    return None if options["retry_after"] is None else str(options["retry_after"])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


_STATUS_OPTIONS: Final = MappingProxyType(
    {"body": "json", "retry_after": None, "retry_after_date": None}
)


def _status_fault(status: int) -> Fault:
    rings = status not in _REFUSALS
    return Fault(
        name=f"status_{status}",
        what=f"Answers {status}; the phone {'rings first' if rings else 'does not ring'}.",
        rings=rings,
        options=_STATUS_OPTIONS,
        act=_answering(status),
    )


_NAMED: Final = (
    Fault(
        name="drop_before",
        what="Closes the connection without doing or answering anything; no ring.",
        rings=False,
        fixed=True,
        act=_close,
    ),
    Fault(
        name="drop_after",
        what="Rings, then closes the connection without an answer.",
        rings=True,
        fixed=True,
        act=_close,
    ),
    Fault(
        name="reset_before",
        what="Resets the connection (RST) without doing or answering anything; no ring.",
        rings=False,
        fixed=True,
        act=_reset,
    ),
    Fault(
        name="reset_after",
        what="Rings, then resets the connection (RST) without an answer.",
        rings=True,
        fixed=True,
        act=_reset,
    ),
    Fault(
        name="cut",
        what="Rings, sends the answer's headers and half of its body, then closes.",
        rings=True,
        fixed=True,
        act=_cut,
    ),
    Fault(
        name="hang",
        what="Rings, and never answers while the connection and the server last.",
        rings=True,
        act=_hang,
    ),
    Fault(
        name="slow",
        what="Rings, and answers as it should after `seconds` more.",
        rings=True,
        fixed=True,
        options=MappingProxyType({"seconds": 1.0}),
        act=_slow,
    ),
    Fault(
        name="junk",
        what="Rings, and answers 200 with a text that calls itself JSON and is not.",
        rings=True,
        options=MappingProxyType({"text": "OK, call queued"}),
        act=_junk,
    ),
    Fault(
        name="empty",
        what="Rings, and answers 200 without a body.",
        rings=True,
        act=_empty,
    ),
    Fault(
        name="no_id",
        what="Rings, and answers 200 with everything but `data.id` (or `data.jobId`).",
        rings=True,
        act=_no_id,
    ),
    Fault(
        name="not_http",
        what="Rings, answers bytes that are not HTTP, and closes.",
        rings=True,
        act=_not_http,
    ),
    Fault(
        name="redirect",
        what="Answers a redirect (307 or `status`) to itself or to `location`; no ring.",
        rings=False,
        options=MappingProxyType({"status": 307, "location": None}),
        act=_redirect,
    ),
    Fault(
        name="html_502",
        what="Rings, and answers 502 with the web page of the proxy in front.",
        rings=True,
        options=MappingProxyType({**_STATUS_OPTIONS, "body": "html"}),
        act=_answering(502),
    ),
    Fault(
        name="rate_limited",
        what="Answers 429 with any text as `retry_after`; no ring.",
        rings=False,
        options=MappingProxyType({**_STATUS_OPTIONS, "retry_after": "1"}),
        act=_answering(429),
    ),
    Fault(
        name="success_false",
        what="Answers 200 with `success: false`, a message and no data; no ring.",
        rings=False,
        options=MappingProxyType({"text": "The call could not be placed"}),
        act=_success_false,
    ),
)

FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {fault.name: fault for fault in (*_NAMED, *map(_status_fault, range(100, 600)))}
)
"""Every fault by name. `status_100` to `status_599` are in it, beside those with a name."""


def _finite(value: object) -> bool:
    return _number(value) and math.isfinite(value)  # type: ignore[arg-type]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _header_text(value: object) -> bool:
    return _number(value) or (isinstance(value, str) and value.isprintable())


# Option, what it must be, and the test of it.
_CHECKS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = MappingProxyType(
    {
        "rings": ("true or false", lambda value: isinstance(value, bool)),
        "body": (f"one of {', '.join(_BODIES)}", lambda value: value in tuple(_BODIES)),
        "retry_after": (
            "a number, one line of text or null",
            lambda value: value is None or _header_text(value),
        ),
        "retry_after_date": (
            "a number of seconds or null",
            lambda value: value is None or _finite(value),
        ),
        "seconds": ("a number of seconds", lambda value: _finite(value) and value >= 0),
        "text": ("a text", lambda value: isinstance(value, str)),
        "status": (
            "301, 302, 303, 307 or 308",
            lambda value: isinstance(value, int) and value in (301, 302, 303, 307, 308),
        ),
        "location": (
            "one line of text or null",
            lambda value: value is None or (isinstance(value, str) and value.isprintable()),
        ),
    }
)


@attrs.frozen(kw_only=True)
class PlannedFault:
    """A fault with its options, ready to strike.

    Attributes:
        name: A name in `FAULTS`.
        on: The kind of route that it strikes.
        options: Options of the fault that differ from its defaults, `rings` among them.
    """

    name: str = attrs.field()
    on: Scope = attrs.field(default="call")
    options: Mapping[str, Any] = attrs.field(default=_NO_OPTIONS)

    @name.validator
    def _known(self, _: object, value: object) -> None:
        if not isinstance(value, str) or value not in FAULTS:
            named = ", ".join(fault.name for fault in _NAMED)
            msg = f"there is no fault {value!r}: there are {named} and status_100 to status_599"
            raise ValueError(msg)

    @on.validator
    def _one_of_the_kinds(self, _: object, value: object) -> None:
        if value not in _SCOPES:
            msg = f"'on' must be one of {', '.join(_SCOPES)}, not {value!r}"
            raise ValueError(msg)

    @options.validator
    def _of_this_fault(self, _: object, value: Mapping[str, Any]) -> None:
        taken = {*self.fault.options, *(() if self.fault.fixed else ("rings",))}
        for name, item in value.items():
            if name not in taken:
                takes = ", ".join(sorted(taken)) or "no options"
                msg = f"{self.name} does not take {name!r}: it takes {takes}"
                raise ValueError(msg)
            wanted, fits = _CHECKS[name]
            if not fits(item):
                msg = f"{name!r} must be {wanted}, not {item!r}"
                raise ValueError(msg)

    @property
    def fault(self) -> Fault:
        """The fault itself."""
        return FAULTS[self.name]

    @property
    def rings(self) -> bool:
        """Does the phone ring, is another write done?"""
        return bool(self.options.get("rings", self.fault.rings))

    async def strike(self, exchange: Exchange) -> Answer | None:
        """Spoil an exchange: returns what to answer, or `None` where the connection was taken."""
        return await self.fault.act(exchange, {**self.fault.options, **self.options})

    def to_json(self) -> dict[str, Any]:
        """The fault as an entry of a plan's file."""
        return {"fault": self.name, "on": self.on, **self.options}


@attrs.define(kw_only=True)
class _Entry:
    planned: PlannedFault
    number: str | None = None
    rate: float | None = None
    left: int | None = None

    def strikes(self, kind: Kind) -> bool:
        return self.planned.on in (kind, "any") and self.left != 0

    def struck(self) -> PlannedFault:
        if self.left is not None:
            self.left -= 1
        return self.planned

    def to_json(self) -> dict[str, Any]:
        keys = {"number": self.number, "rate": self.rate, "count": self.left}
        given = {name: value for name, value in keys.items() if value is not None}
        return {**given, **self.planned.to_json()}


# Part of a plan's file, the keys of its entries beside `fault`, `on` and options, and of these
# the ones that it cannot do without.
_PARTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"next": (), "numbers": ("number",), "rates": ("rate",)}
)


@attrs.define(kw_only=True, eq=False)
class FaultPlan:
    """Which faults strike which requests. It may be changed while a server runs on it.

    Attributes:
        seed: Decides which requests `at_rate` strikes; `None` for different ones every time.
    """

    seed: int | None = 0
    _next: list[_Entry] = attrs.field(factory=list, init=False)
    _numbers: dict[str, list[_Entry]] = attrs.field(
        factory=dict, init=False, repr=lambda numbers: str([*map(mask_number, numbers)])
    )
    _rates: list[_Entry] = attrs.field(factory=list, init=False)
    _random: random.Random = attrs.field(init=False, repr=False)

    @_random.default
    def _seeded(self) -> random.Random:
        return random.Random(self.seed)

    def next(self, fault: str, /, *, count: int = 1, on: Scope = "call", **options: Any) -> None:
        """Let a fault strike the next `count` requests, after those planned so before.

        Raises:
            ValueError: There is no such fault, or an option is wrong; the text says which.
        """
        planned = PlannedFault(name=fault, on=on, options=options)
        self._next.append(_Entry(planned=planned, left=_counted(count)))

    def for_number(
        self,
        number: str,
        fault: str,
        /,
        *,
        count: int | None = None,
        on: Scope = "call",
        **options: Any,
    ) -> None:
        """Let a fault strike requests for one phone number, `count` times or every time.

        Several for one number strike one after the other.

        Raises:
            ValueError: There is no such fault, or an option is wrong; the text says which.
        """
        if not isinstance(number, str) or not number:
            msg = f"'number' must be a phone number, not {number!r}"
            raise ValueError(msg)
        planned = PlannedFault(name=fault, on=on, options=options)
        left = None if count is None else _counted(count)
        entry = _Entry(planned=planned, number=number, left=left)
        self._numbers.setdefault(number, []).append(entry)

    def at_rate(self, fault: str, rate: float, /, *, on: Scope = "call", **options: Any) -> None:
        """Let a fault strike a share of the requests, from 0.0 to 1.0.

        The shares of several faults add up; what goes beyond 1.0 never strikes.

        Raises:
            ValueError: There is no such fault, or an option is wrong; the text says which.
        """
        if not _number(rate) or not 0 <= rate <= 1:
            msg = f"'rate' must be a number from 0 to 1, not {rate!r}"
            raise ValueError(msg)
        planned = PlannedFault(name=fault, on=on, options=options)
        self._rates.append(_Entry(planned=planned, rate=float(rate)))

    def choose(self, kind: Kind, number: str | None = None) -> PlannedFault | None:
        """The fault that strikes this request, counted as used; `None` for none."""
        return self._choose_next(kind) or self._choose_by_number(kind, number) or self._draw(kind)

    def clear(self) -> None:
        """Plan nothing more."""
        self._next.clear()
        self._numbers.clear()
        self._rates.clear()

    def to_json(self) -> dict[str, Any]:
        """What is still planned, in the form that `from_json` reads."""
        return {
            "seed": self.seed,
            "next": [entry.to_json() for entry in self._next],
            "numbers": [entry.to_json() for many in self._numbers.values() for entry in many],
            "rates": [entry.to_json() for entry in self._rates],
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> "FaultPlan":
        """Read a plan from JSON; the module's text shows the form.

        Raises:
            ValueError: The text is not such a plan; the text names the entry.
        """
        try:
            value = json.loads(text)
        except ValueError as error:
            msg = f"the fault plan is not JSON: {error}"
            raise ValueError(msg) from error
        if not isinstance(value, dict):
            msg = "the fault plan must be a JSON object"
            raise ValueError(msg)
        _no_strangers(value)
        plan = cls(seed=_seed_in(value))
        for part, needed in _PARTS.items():
            entries = value.get(part, [])
            if not isinstance(entries, list):
                msg = f"{part!r} must be a list"
                raise ValueError(msg)
            for index, entry in enumerate(entries):
                plan._add(part, needed, entry, where=f"{part}[{index}]")
        return plan

    def _add(self, part: str, needed: tuple[str, ...], entry: object, *, where: str) -> None:
        add: Mapping[str, Callable[..., None]] = {
            "next": self.next,
            "numbers": self.for_number,
            "rates": lambda rate, fault, /, **rest: self.at_rate(fault, rate, **rest),
        }
        try:
            add[part](*_needed(entry, (*needed, "fault")), **_rest(entry, (*needed, "fault")))
        except (ValueError, TypeError) as error:
            msg = f"{where}: {error}"
            raise ValueError(msg) from error

    def _choose_next(self, kind: Kind) -> PlannedFault | None:
        for index, entry in enumerate(self._next):
            if entry.strikes(kind):
                planned = entry.struck()
                if entry.left == 0:
                    del self._next[index]
                return planned
        return None

    def _choose_by_number(self, kind: Kind, number: str | None) -> PlannedFault | None:
        for entry in self._numbers.get(number or "", ()):
            if entry.strikes(kind):
                return entry.struck()
        return None

    def _draw(self, kind: Kind) -> PlannedFault | None:
        entries = [entry for entry in self._rates if entry.strikes(kind)]
        # One draw a request, of which each entry owns its share: another entry behind it does
        # not change which requests an entry strikes.
        drawn = self._random.random() if entries else 1.0
        for entry in entries:
            drawn -= entry.rate or 0.0
            if drawn < 0:
                return entry.planned
        return None


def _counted(count: object) -> int:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        msg = f"'count' must be a whole number from 1, not {count!r}"
        raise ValueError(msg)
    return count


def _no_strangers(value: Mapping[str, Any]) -> None:
    strangers = sorted(value.keys() - {"seed", *_PARTS})
    if strangers:
        msg = f"the fault plan has no part {strangers[0]!r}: it has seed, {', '.join(_PARTS)}"
        raise ValueError(msg)


def _seed_in(value: Mapping[str, Any]) -> int | None:
    seed = value.get("seed", 0)
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        msg = f"'seed' must be a whole number or null, not {seed!r}"
        raise ValueError(msg)
    return seed


def _needed(entry: object, names: tuple[str, ...]) -> list[Any]:
    if not isinstance(entry, dict):
        msg = "an entry must be a JSON object"
        raise ValueError(msg)
    for name in names:
        if name not in entry:
            msg = f"{name!r} is missing"
            raise ValueError(msg)
    return [entry[name] for name in names]


def _rest(entry: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}
