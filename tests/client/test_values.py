"""Classes that attrs finishes late, or has less to do for, are as if it had made them whole."""

import asyncio
import copy
import inspect
import json
import pickle
import sys
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from hamsa_async._values import Plain, define, frozen

NEVER_WITH_THE_CORE = {
    *("hamsa_async.cli", "hamsa_async.dialer", "hamsa_async.testing", "hamsa_async.webhooks"),
    *("http.server", "importlib.metadata", "multiprocessing", "pydoc", "sqlite3", "unittest"),
    *("xml", "zoneinfo"),
}
"""Rooms and modules that cost much, and that neither the four nor a call need."""

COUNTING = """
import asyncio, json, sys
import aiohttp, attrs, cattrs, tenacity

made = []

def counting(real):
    def decorate(cls=None, **options):
        def make(cls):
            made.append(cls.__qualname__)
            return real(cls, **options)
        return make if cls is None else make(cls)
    return decorate

attrs.frozen, attrs.define = counting(attrs.frozen), counting(attrs.define)
from hamsa_async import HamsaClient, Conversation

async def main():
    async with HamsaClient("key", base_url=sys.argv[1]) as client:
        await client.voice_agents.call(to_number="+971500000123", voice_agent_id="a")

modules, at_import = list(sys.modules), list(made)
asyncio.run(main())
by_a_call = made[len(at_import):]
Conversation(id="c")
print(json.dumps([modules, at_import, by_a_call, made[len(at_import) + len(by_a_call):]]))
"""


def _show(value: str) -> str:
    return f"<{len(value)}>"


class Body:
    """A class as we write them, to be made in both ways."""

    id: str
    shown: str = attrs.field(default="abc", repr=_show)
    hidden: str = attrs.field(default="secret", repr=False)
    apart: int = attrs.field(default=0, eq=False)
    whole: int = attrs.field(default=1, converter=int)
    _private: tuple[int, ...] = ()

    @whole.validator  # type: ignore[attr-defined, untyped-decorator]
    def _check(self, _: object, value: int) -> None:
        if value < 0:
            raise ValueError("less than nothing")


def written(name: str, *bases: type) -> Any:
    """Give a class with that body, in a module where pickle finds it."""
    body = {key: item for key, item in vars(Body).items() if key not in {"__dict__", "__weakref__"}}
    return type(name, bases, body | {"__qualname__": name})


Whole: Any = attrs.frozen(kw_only=True)(written("Whole"))
Late: Any = frozen(kw_only=True)(written("Late"))
Shared: Any = attrs.frozen(kw_only=True, eq=False, repr=False)(written("Shared", Plain))
WAYS = pytest.mark.parametrize("made", [Whole, Late, Shared], ids=lambda made: made.__name__)


@WAYS
def test_it_is_a_frozen_slotted_keyword_only_value(made: Any) -> None:
    """Nothing can be set, added or given by place, also before its first instance."""
    value = made(id="a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.id = "b"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del value.id
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.another = 1
    with pytest.raises(TypeError):
        made("a")
    with pytest.raises(ValueError, match="less than nothing"):
        made(id="a", whole="-1")
    assert not hasattr(value, "__dict__")
    assert weakref.ref(value)() is value
    assert inspect.signature(made) == inspect.signature(Whole)


@WAYS
def test_it_compares_and_shows_what_its_fields_say(made: Any) -> None:
    """Equality, hash and `repr` heed `eq` and `repr` of a field; another class is not equal."""
    value = made(id="a", apart=1, private=(1,))
    assert value == made(id="a", apart=2, private=(1,))
    assert hash(value) == hash(made(id="a", apart=2, private=(1,)))
    assert value != made(id="b", apart=1, private=(1,))
    assert value != Body()
    assert repr(value) == (f"{made.__name__}(id='a', shown=<3>, apart=1, whole=1, _private=(1,))")


@WAYS
def test_it_can_be_copied_changed_and_pickled(made: Any) -> None:
    """The copy is equal, and whole."""
    value = made(id="a", hidden="x")
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert other == value
        assert attrs.asdict(other) == attrs.asdict(value)
    assert attrs.evolve(value, id="b") == made(id="b", hidden="x")
    assert [field.name for field in attrs.fields(made)] == list(Body.__annotations__)


@pytest.mark.parametrize(
    "deed",
    [
        lambda late: late(id="a"),
        attrs.fields,
        lambda late: pickle.loads(
            pickle.dumps(Whole(id="a")).replace(b"Whole", late.__name__.encode())
        ),
        inspect.signature,
    ],
    ids=["made", "asked for its fields", "unpickled", "asked for its signature"],
)
def test_whatever_comes_first_finishes_it(
    deed: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it has all that attrs gives, and nothing of what stood for it."""
    late = frozen(kw_only=True)(written("First"))
    monkeypatch.setitem(globals(), "First", late)
    assert "__repr__" not in vars(late)
    deed(late)
    assert vars(late).keys() == vars(Whole).keys()
    assert late(id="a") == late(id="a")


def test_a_mutable_one_can_be_finished_late_too() -> None:
    """`define` is `attrs.define`."""
    late: Any = define(kw_only=True, eq=False)(type("Late", (), {"__annotations__": {"a": int}}))
    value = late(a=1)
    value.a = 2
    assert repr(value) == "Late(a=2)"
    assert value != late(a=2)
    with pytest.raises(AttributeError):
        value.b = 1


def test_every_class_of_the_core_can_be_finished() -> None:
    """Whatever attrs has against one of them shows here, not when somebody first uses it."""
    ours = [
        kind
        for name, module in list(sys.modules.items())
        if name.startswith("hamsa_async")
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == name and attrs.has(kind)
    ]
    assert len(ours) > 80
    for kind in ours:
        assert inspect.signature(kind).parameters.keys() == {
            field.alias for field in attrs.fields(kind) if field.init
        }


async def test_attrs_makes_little_at_import_and_nothing_for_a_call(
    raw_server: Callable[..., Awaitable[Any]],
) -> None:
    """Values that only some programs use are left; what a call needs is there before the loop."""
    body = json.dumps({"data": {"id": "c", "createdAt": "2026-03-11T08:15:02Z"}}).encode()

    async def tell(connection: Any) -> None:
        while await server.next_request(connection):
            connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    server = await raw_server(tell)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", COUNTING, f"http://127.0.0.1:{server.port}"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    modules, at_import, by_a_call, by_a_conversation = json.loads(out)
    assert NEVER_WITH_THE_CORE.isdisjoint(modules)
    assert "CallRequest" in at_import
    assert len(at_import) <= 20
    assert by_a_call == []
    assert by_a_conversation == ["Conversation"]
