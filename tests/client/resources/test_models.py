"""Every model takes what the API may send, and loses none of it."""

import inspect
import itertools
import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from sending import as_sent, back, sent_object

import hamsa_async.models
from hamsa_async import ResponseSchemaError
from hamsa_async._converter import camel_case, converter, structure
from hamsa_async.models import AgentDetails, CalendarTools, Call, ToolSwitches

MODELS = sorted(
    (
        kind
        for kind in vars(hamsa_async.models).values()
        if inspect.isclass(kind)
        and attrs.has(kind)
        and any(field.name == "extra" for field in attrs.fields(kind))
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_nothing_that_is_sent_is_lost(kind: Any) -> None:
    """Unknown fields, unknown members and nulls anywhere come through, there and back."""

    @settings(max_examples=20)
    @given(sent_object(kind))
    def check(data: dict[str, Any]) -> None:
        value = converter.structure(data, kind)
        assert back(value) == as_sent(data)
        repr(value)

    check()


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_null_is_none_wherever_it_may_be(kind: Any) -> None:
    """Every field but an id may be null."""
    fields = [
        field
        for field in attrs.fields(kind)
        if field.name not in {"extra", "evidence", "_agent_details"}
    ]
    data = {
        camel_case(field.alias): "id" if field.default is attrs.NOTHING else None
        for field in fields
    }
    value = converter.structure(data, kind)
    assert all(
        getattr(value, field.name) is None for field in fields if field.default is not attrs.NOTHING
    )


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_models_are_frozen_and_slotted(kind: Any) -> None:
    """No field can be set, and none be invented."""
    value = converter.structure({"id": "a", "exportId": "a"}, kind)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.extra = {}
    assert not hasattr(value, "__dict__")
    assert all(field.kw_only for field in attrs.fields(kind))
    assert value == converter.structure({"id": "a", "exportId": "a"}, kind)


SECRET = "s3cret-value"


def poisoned(hint: Any, depth: int = 3) -> Any:
    """Something of a type with a secret, or a phone number, in every text."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return poisoned(parts[0], depth)
    if origin is Sequence:
        return [poisoned(parts[0], depth)]
    if origin is Mapping:
        return {"+971501234567": {"apiKey": SECRET}} if parts[1] is Any else {}
    if inspect.isclass(hint) and attrs.has(hint) and depth:
        hints = typing.get_type_hints(hint, include_extras=True)
        fields = {
            camel_case(field.alias): "an-id"
            if field.default is attrs.NOTHING
            else poisoned(hints[field.name], depth - 1)
            for field in attrs.fields(hint)
            if field.name not in {"extra", "evidence", "_agent_details"}
        }
        return {**fields, "apiKey": SECRET, "number2": "+971501234567"}
    if hint in {str, Any}:
        return f"+971501234567 {SECRET}" if hint is Any else "call +971501234567"
    return None


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_repr_shows_no_secret_and_no_number(kind: Any) -> None:
    """Neither in the fields that it shows nor in those that it does not."""
    value = converter.structure(poisoned(kind), kind)
    assert SECRET not in repr(value)
    assert "971501234567" not in repr(value)


ODD = (
    5,
    1.5,
    True,
    "text",
    [1, [2]],
    {"a": {"b": 1}},
    {"transcription": 5},
    {"outcomeResult": [1]},
)


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_what_a_model_works_out_survives_any_field(kind: Any) -> None:
    """Leaves are taken as they came: a property meets them, and no raw error comes of it."""
    properties = [name for name in dir(kind) if isinstance(getattr(kind, name), property)]
    for field, odd in itertools.product(attrs.fields(kind), ODD):
        needed = {camel_case(each.alias): "x" for each in attrs.fields(kind) if _is_needed(each)}
        with suppress(ResponseSchemaError):
            value = structure({**needed, camel_case(field.alias): odd}, kind, at="$")
            for name in [*properties, "__repr__"]:
                got = getattr(value, name)
                assert name != "__repr__" or got()


def _is_needed(field: "attrs.Attribute[Any]") -> bool:
    return field.default is attrs.NOTHING


def test_both_ages_of_the_agent_are_models() -> None:
    """The calendar and the switches are among what was tested."""
    assert {AgentDetails, CalendarTools, ToolSwitches, Call} <= set(MODELS)
    assert len(MODELS) > 40
