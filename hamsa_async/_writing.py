"""Requests that write, from our names and types to the API's JSON, checked on the way.

Strict, where reading is lenient: what is misspelt, of the wrong type or out of range is refused
before anything is sent. The types of `hamsa_async.models` are the one place that says what a
request may have; this reads them.
"""

import enum
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NotRequired, Required, Union

import attrs

from hamsa_async._converter import camel_case
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.rules import Rule


def write(kind: type, given: Mapping[str, Any], *, what: str) -> dict[str, Any]:
    """Turn a request into the JSON object that the API takes.

    Args:
        kind: The `TypedDict` that says what may be in it.
        given: The fields by our names. One that is not there is not sent; `None` is sent as
            `null`, where it may be.
        what: Whose fields they are, for the errors' texts.

    Raises:
        ConfigurationError: A field is missing, unknown, of the wrong type or out of range. The
            text names it and never repeats a value.
    """
    try:
        return _object(kind, given, what, within="")
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def write_changes(kind: type, given: Mapping[str, Any], *, what: str) -> dict[str, Any]:
    """The same for an update, which must change something.

    Raises:
        ConfigurationError: As `write`; or there is nothing in it.
    """
    if not given:
        raise ConfigurationError(f"{what}: give at least one field to change")
    return write(kind, given, what=what)


def moment(value: Any, name: str) -> datetime:
    """Take an aware moment.

    Raises:
        ConfigurationError: It is none, or has no time zone.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigurationError(f"{name} must be an aware datetime (with a time zone)")
    return value.astimezone(UTC)


@functools.cache
def _fields_of(kind: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {name: _without_presence(hint) for name, hint in hints.items()}


def _without_presence(hint: Any) -> Any:
    while typing.get_origin(hint) in {Required, NotRequired}:
        (hint,) = typing.get_args(hint)
    return hint


def _object(kind: Any, given: Any, where: str, *, within: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} must be a mapping, not {type(given).__name__}")
    fields = _fields_of(kind)
    unknown = [str(name) for name in given if name not in fields]
    if unknown:
        raise ValueError(f"{where} has no field {unknown[0]!r}; it has {', '.join(fields)}")
    missing = sorted(kind.__required_keys__ - given.keys())
    if missing:
        raise ValueError(f"{where}: {missing[0]} is missing")
    return {
        camel_case(name): _value(fields[name], value, f"{within}{name}")
        for name, value in given.items()
    }


def _value(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        plain, *marks = typing.get_args(hint)
        written = _value(plain, value, where)
        for rule in marks:
            if isinstance(rule, Rule):
                rule.check(where, value)
        return written
    if origin in {Union, types.UnionType}:
        return _one_of(typing.get_args(hint), value, where)
    if origin is Literal:
        return _literal(typing.get_args(hint), value, where)
    if origin is Sequence:
        (inner,) = typing.get_args(hint)
        return _list(inner, value, where)
    if origin is Mapping:
        return _open(value, where)
    if typing.is_typeddict(hint):
        return _object(hint, value, where, within=f"{where}.")
    if attrs.has(hint):
        return _ours(hint, value, where)
    return _leaf(hint, value, where)


def _one_of(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in parts:
        return None
    others = [part for part in parts if part is not type(None)]
    if len(others) == 1:
        return _value(others[0], value, where)
    return _leaf(str, value, where)  # an open enumeration: `Status | str`


def _literal(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{where} must be one of {', '.join(map(str, allowed))}")
    return str(value)


def _list(inner: Any, value: Any, where: str) -> list[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError(f"{where} must be a list, not {type(value).__name__}")
    return [_value(inner, item, f"{where}[{index}]") for index, item in enumerate(value)]


def _open(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a mapping, not {type(value).__name__}")
    return dict(value)


def _ours(kind: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, kind):
        raise ValueError(f"{where} must be a {kind.__name__}, not {type(value).__name__}")
    return {camel_case(field.alias): getattr(value, field.name) for field in attrs.fields(kind)}


def _leaf(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if kind is datetime:
        return _timestamp(value, where)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value, where)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} must be {_NAMES[kind]}, not {type(value).__name__}")
    return value.value if isinstance(value, enum.Enum) else value


_NAMES: Mapping[Any, str] = types.MappingProxyType(
    {str: "a text", bool: "True or False", int: "a whole number", float: "a number"}
)


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number")
    return value


def _timestamp(value: Any, where: str) -> str:
    return moment(value, where).isoformat(timespec="milliseconds").replace("+00:00", "Z")
