"""JSON as the API may send it for one of our types, and a value as the JSON that it came from."""

import enum
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
from hypothesis import strategies as st

from hamsa_async._converter import LazyAgent, camel_case
from hamsa_async.models import CalendarTools, ToolSwitches
from hamsa_async.models._declaring import ID

texts = st.text(max_size=8)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, jsons, max_size=2)
moments = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=4))]),
).map(lambda moment: moment.isoformat().replace("+00:00", "Z"))
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    bool: st.booleans(),
    int: st.integers(0, 10**6),
    float: st.floats(0, 10**6) | st.integers(0, 10**6),
    datetime: moments,
    type(None): st.none(),
    Any: jsons,
}


def sent(kind: Any) -> st.SearchStrategy[Any]:
    """What the API may send where we have a type."""
    if kind in LEAVES:
        return LEAVES[kind]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if ID in getattr(kind, "__metadata__", ()):
        return st.text(min_size=1, max_size=8)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*map(sent, parts))
    if origin is Sequence:
        return st.lists(sent(parts[0]), max_size=2)
    if origin is Mapping:
        return st.dictionaries(texts, sent(parts[1]), max_size=2)
    if inspect.isclass(kind) and issubclass(kind, enum.StrEnum):
        return st.sampled_from(kind).map(str) | st.just("A_NEW_MEMBER")
    if attrs.has(kind):
        return sent_object(kind)
    msg = f"there is no strategy for {kind}"
    raise AssertionError(msg)


TOOLS = {CalendarTools: "calendarName", ToolSwitches: "smartCallEnd"}


def sent_object(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of its documented fields, and some that nobody documented."""
    hints = typing.get_type_hints(kind, include_extras=True)
    known = {
        camel_case(field.alias): hints[field.name]
        for field in attrs.fields(kind)
        if field.name not in {"extra", "evidence", "_agent_details"}
    }
    needed = {name: sent(hint) for name, hint in known.items() if _needed(kind, name)}
    if kind in TOOLS:  # by this it is known for what it is
        needed[TOOLS[kind]] = sent(known[TOOLS[kind]])
    others = {name: sent(hint) for name, hint in known.items() if name not in needed}
    unknown = st.dictionaries(texts.map("x-{}".format), jsons, max_size=2)
    known_part = st.fixed_dictionaries(needed, optional=others)
    return st.builds(lambda one, two: {**two, **one}, known_part, unknown)


def _needed(kind: Any, name: str) -> bool:
    return any(
        camel_case(field.alias) == name and field.default is attrs.NOTHING
        for field in attrs.fields(kind)
    )


def back(value: Any) -> Any:
    """A value as the JSON that it came from, without the fields that are `None`."""
    if isinstance(value, LazyAgent):
        return back(value())
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, enum.StrEnum):
        return value.value.casefold()
    if attrs.has(type(value)):
        fields = {
            camel_case(field.alias): back(getattr(value, field.name))
            for field in attrs.fields(type(value))
            if field.name not in {"extra", "evidence", "_agent_details"}
        }
        return {
            **as_sent(value.extra),
            **{name: one for name, one in fields.items() if one is not None},
        }
    return as_sent(value)


def as_sent(value: Any) -> Any:
    """JSON made comparable: moments as such, texts without their case, no nulls in objects."""
    if attrs.has(type(value)):
        return back(value)
    if isinstance(value, Mapping):
        return {name: as_sent(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [as_sent(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value.casefold()
        return moment.astimezone(UTC) if moment.tzinfo else value.casefold()
    return value
