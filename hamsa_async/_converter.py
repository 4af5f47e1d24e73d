"""The one cattrs converter: every difference between our values and Hamsa's JSON.

Names: `snake_case` here, `camelCase` there. Leniencies, each with its reason:

- JSON-native leaves (`str | None`, numbers, mappings) are taken as they came. The reference's
  types are inferred in places, and a number where a text was promised must not cost the id of
  a call that rang. They are also 15 us a call cheaper than coercion.
- A timestamp must be ISO 8601; one without an offset is read as UTC, which is what the API's
  examples end in.
- Unknown keys are kept in `extra`: the API gains fields between our releases.
- `agentDetails.tools` has been a calendar and a set of switches; anything else stays a mapping.
- `agentDetails` of a placed call is structured when it is first looked at: it is half of the
  answer, rarely read, and its shape must not decide whether a call's id is known.
"""

import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, Union

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override
from cattrs.v import transform_error

from hamsa_async._leniency import register
from hamsa_async._masking import mask_text
from hamsa_async.errors import ResponseSchemaError
from hamsa_async.models.agents import AgentDetails, CalendarTools, ToolSwitches
from hamsa_async.models.calls import Call

T = TypeVar("T")

_LEAVES: Final = frozenset({str, int, float, bool, type(None), Any})
_OURS: Final = frozenset({"extra", "evidence"})  # fields that the API does not send
_NAMES: Final[Mapping[str, str]] = {"from_": "from"}
_OUR_NAME: Final = re.compile(r"(?<=\.)[a-z]\w*")


def camel_case(name: str) -> str:
    """Give the API's name of one of our fields: `voice_agent_id` -> `voiceAgentId`."""
    if name in _NAMES:
        return _NAMES[name]
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _is_native(kind: Any) -> bool:
    """Whether a type is what `json.loads` gives, so that nothing has to be built."""
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return all(_is_native(part) for part in typing.get_args(kind))
    if origin is not None:
        return all(_is_native(part) for part in typing.get_args(kind))
    return kind in _LEAVES


def _timestamp(value: Any, _: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _structure_fn(cls: type[Any], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Make what builds a class of ours from JSON.

    It takes what the answer has, and asks cattrs for what is not JSON-native only. What does not
    fit is then given to the function that cattrs makes, which says where and why: it asks for
    every field that there might be, and costs three times as much.
    """
    fields = [field for field in attrs.fields(cls) if field.name not in _OURS]
    has_extra = any(field.name == "extra" for field in attrs.fields(cls))
    names: dict[str, Any] = {
        field.name: override(rename=camel_case(field.alias)) for field in fields
    }
    names |= {name: override(omit=True) for name in _OURS}
    explain = make_dict_structure_fn(cls, converter, **names)
    ours = {camel_case(field.alias): field.alias for field in fields}
    hooks = [
        (field.alias, field.type, hook)
        for field in fields
        if (hook := _hook_of(field.type, converter)) is not None
    ]

    def structure(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected an object, got {type(value).__name__}")
        try:
            # No loop of ours for the usual case: it is half of the price.
            given: dict[Any, Any] = dict(zip(map(ours.get, value), value.values(), strict=True))
            if None in given:
                given = {ours[name]: item for name, item in value.items() if name in ours}
                if has_extra:
                    given["extra"] = {k: v for k, v in value.items() if k not in ours}
            for field, wanted, hook in hooks:
                if field in given:
                    given[field] = hook(given[field], wanted)
            return cls(**given)
        except Exception:  # noqa: BLE001 - whatever it is, what cattrs makes of it is raised
            return explain(value, kind)

    return structure


def _hook_of(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any] | None:
    hook = converter.get_structure_hook(kind)
    return None if hook is _as_it_came else hook


def _as_it_came(value: Any, _: Any) -> Any:
    return value


def _tools(value: Any, _: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "calendarName" in value or "accessToken" in value or "freeSlots" in value:
        return converter.structure(value, CalendarTools)
    if not value or "genderDetection" in value or "smartCallEnd" in value:
        return converter.structure(value, ToolSwitches)
    return value


class LazyAgent:
    """`agentDetails` as it came, structured when it is first asked for."""

    __slots__ = ("_agent", "_raw")

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._agent: AgentDetails | None = None

    def __call__(self) -> AgentDetails | None:
        """Structure it once.

        Raises:
            ResponseSchemaError: It is not an agent; the problems name the JSON paths.
        """
        if self._agent is None and self._raw is not None:
            self._agent = structure(self._raw, AgentDetails, at="$.data.agentDetails")
        return self._agent


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter()
    made.register_structure_hook_factory(attrs.has, lambda cls: _structure_fn(cls, made))
    made.register_structure_hook_func(_is_native, _as_it_came)
    made.register_structure_hook(datetime, _timestamp)
    made.register_structure_hook_func(lambda kind: kind == _TOOLS, _tools)
    made.register_structure_hook_func(
        lambda kind: kind == _AGENT_SOURCE, lambda value, _: LazyAgent(value)
    )
    register(made)
    return made


_TOOLS: Final = AgentDetails.__annotations__["tools"]
_AGENT_SOURCE: Final = Call.__annotations__["_agent_details"]
converter: Final = _make_converter()


def structure(value: Any, kind: type[T], *, at: str) -> T:
    """Build one of our values from JSON.

    Args:
        value: What `json.loads` gave.
        kind: The class to build.
        at: The JSON path of `value`, for the problems' text.

    Raises:
        ResponseSchemaError: `value` is not of that shape; `problems` names each path.
    """
    try:
        return converter.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - whatever cattrs meets, it is the answer's shape
        problems = tuple(
            _in_api_names(problem)
            for problem in transform_error(error, path=at, format_exception=_describe)
        )
    # Raised out here: the converter's own exceptions quote values, and would stay attached.
    raise ResponseSchemaError(
        f"the answer is not the documented shape: {'; '.join(problems)}", problems=problems
    )


def _in_api_names(problem: str) -> str:
    """Paths come in our names; the reader looks into the API's JSON."""
    text, _, path = problem.rpartition(" @ ")
    # Keys of a mapping stand in a path too, and they are the server's.
    return f"{text} @ {mask_text(_OUR_NAME.sub(lambda name: camel_case(name.group()), path))}"


def _describe(error: BaseException, kind: type | None) -> str:
    """Say what is wrong without repeating the value, which may be a secret."""
    if isinstance(error, KeyError):
        return "required field missing"
    expected = kind.__name__ if isinstance(kind, type) else "the documented type"
    return f"invalid value, expected {expected}"
