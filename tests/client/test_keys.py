"""Where the key comes from, what happens when it is refused, and that it is never shown."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hamsa_async import (
    AuthenticationError,
    CallRequest,
    Certainty,
    ConfigurationError,
    HamsaClient,
    NotSentError,
)
from hamsa_async.testing import FAKE_AGENT_ID, FAKE_API_KEY, FakeHamsa

Connect = Callable[..., Awaitable[HamsaClient]]
Place = Callable[..., Awaitable[Any]]
POST = "POST /v1/voice-agents/call"


async def test_the_key_of_the_environment_is_used(
    fake: FakeHamsa, connect: Connect, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HAMSA_API_KEY`, blanks around it forgiven."""
    monkeypatch.setenv("HAMSA_API_KEY", f" {FAKE_API_KEY}\n")
    assert await place(await connect(fake, api_key=None))


async def test_an_argument_goes_before_the_environment(
    fake: FakeHamsa, connect: Connect, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`api_key=` wins over `HAMSA_API_KEY`."""
    monkeypatch.setenv("HAMSA_API_KEY", "another")
    assert await place(await connect(fake, api_key=FAKE_API_KEY))


def test_no_key_at_all_says_how_to_give_one() -> None:
    """The text names all three ways."""
    with pytest.raises(ConfigurationError, match="HAMSA_API_KEY_FILE"):
        HamsaClient()


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "key"
    monkeypatch.setenv("HAMSA_API_KEY_FILE", str(file))
    return file


async def test_a_key_file_that_changed_is_read_once_more_after_a_401(
    key_file: Path, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """The call is placed after exactly one refused POST, and the next with the new key at once."""
    key_file.write_text("old-key")
    client = await connect(fake, api_key=None)
    key_file.write_text(f"{FAKE_API_KEY}\n")
    assert await place(client)
    assert [post.status for post in fake.ledger.post_log] == [401, 200]
    assert await place(client)
    assert fake.ledger.posts == 3


async def test_many_calls_refused_together_read_the_file_once(
    key_file: Path,
    connect: Connect,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rotated key costs one look, however many calls were under way with the old one."""
    key_file.write_text("old-key")
    reads: list[Path] = []
    read_text = Path.read_text

    def counted(self: Path, *args: Any, **options: Any) -> str:
        reads.append(self)
        return read_text(self, *args, **options)

    monkeypatch.setattr(Path, "read_text", counted)
    arrived = asyncio.Event()
    count = itertools.count(1)

    async def hold(_: object) -> None:
        if next(count) == 20:
            arrived.set()
        await arrived.wait()

    async with FakeHamsa(on_post=hold) as fake:
        client = await connect(fake, api_key=None)
        key_file.write_text(FAKE_API_KEY)
        await asyncio.gather(*(place(client) for _ in range(20)))
        assert fake.ledger.posts == 40
        assert len(fake.ledger.rings) == 20
    assert len(reads) == 1 + 1


@pytest.mark.parametrize("rotten", ["old-key", "", None, "\xff"])
async def test_a_key_file_without_a_new_key_leaves_the_401(
    rotten: str | None, key_file: Path, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """The same key, an empty file, none, no text: the refusal is what is raised."""
    key_file.write_text("old-key")
    client = await connect(fake, api_key=None)
    if rotten is None:
        key_file.unlink()
    else:
        key_file.write_bytes(rotten.encode("latin-1"))
    with pytest.raises(AuthenticationError) as caught:
        await place(client)
    assert not caught.value.key_renewed
    assert fake.ledger.posts == 1


async def test_a_second_401_is_raised(
    key_file: Path, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """The new key is refused too: two POSTs, no third."""
    key_file.write_text("old-key")
    client = await connect(fake, api_key=None)
    key_file.write_text("newer-key")
    with pytest.raises(AuthenticationError):
        await place(client)
    assert fake.ledger.posts == 2


async def test_attempt_says_that_there_is_another_key_by_now(
    key_file: Path, fake: FakeHamsa, connect: Connect
) -> None:
    """`attempt` posts once; its caller may decide that one more attempt is worth it."""
    key_file.write_text("old-key")
    client = await connect(fake, api_key=None)
    key_file.write_text(FAKE_API_KEY)
    request = CallRequest(to_number="+971500000123", voice_agent_id=FAKE_AGENT_ID)

    async def intend() -> None: ...

    with pytest.raises(AuthenticationError) as caught:
        await client.voice_agents.attempt(request, before_send=intend)
    assert caught.value.key_renewed
    assert fake.ledger.posts == 1
    await client.voice_agents.attempt(request, before_send=intend)


async def test_an_async_callable_is_asked_before_every_request(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """And once more after a 401, when it may know better."""
    keys = iter(["old-key", FAKE_API_KEY, FAKE_API_KEY, FAKE_API_KEY])

    async def ask() -> str:
        await asyncio.sleep(0)
        return next(keys)

    client = await connect(fake, api_key=ask)
    assert await place(client)
    assert await place(client)
    assert [post.status for post in fake.ledger.post_log] == [401, 200, 200]


async def test_a_callable_that_fails_sends_nothing(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """Not sent, with the callable's own exception as the cause."""

    async def ask() -> str:
        raise OSError("the vault is sealed")

    client = await connect(fake, api_key=ask, concurrency_limit=1)
    for _ in range(2):
        with pytest.raises(NotSentError) as caught:
            await place(client)
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.certainty is Certainty.NOT_SENT
    assert fake.ledger.posts == 0


@pytest.mark.parametrize("given", ["", "two words", "a\nb", 7, None])
async def test_a_callable_that_gives_no_key_sends_nothing_and_shows_nothing(
    given: Any, fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """What it gave is checked like any key."""

    async def ask() -> Any:
        return given

    with pytest.raises(ConfigurationError) as caught:
        await place(await connect(fake, api_key=ask))
    if given and isinstance(given, str):
        assert given not in str(caught.value)
    assert fake.ledger.posts == 0


async def test_a_callable_that_is_not_async_is_named_as_the_mistake(
    fake: FakeHamsa, connect: Connect, place: Place
) -> None:
    """The text says what it must be."""
    with pytest.raises(ConfigurationError, match="async"):
        await place(await connect(fake, api_key=lambda: FAKE_API_KEY))


@pytest.mark.parametrize("bad", ["", "   ", "bad key-1", "bad\nkey-1", "bädkey-1", "bad\x00key-1"])
def test_a_bad_key_is_refused_and_not_repeated(
    bad: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As an argument, in the environment, in a file."""
    file = tmp_path / "key"
    file.write_text(bad)
    texts: list[str] = []
    with pytest.raises(ConfigurationError) as caught:
        HamsaClient(bad)
    texts.append(repr(caught.value))
    if "\x00" not in bad and bad:
        monkeypatch.setenv("HAMSA_API_KEY", bad)
        with pytest.raises(ConfigurationError) as caught:
            HamsaClient()
        texts.append(repr(caught.value))
        monkeypatch.delenv("HAMSA_API_KEY")
    monkeypatch.setenv("HAMSA_API_KEY_FILE", str(file))
    with pytest.raises(ConfigurationError) as caught:
        HamsaClient()
    texts.append(repr(caught.value))
    assert not bad.strip() or not any("key-1" in text for text in texts)


def test_a_key_file_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The path and the system's reason."""
    monkeypatch.setenv("HAMSA_API_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"No such file.*nowhere"):
        HamsaClient()


async def test_the_scheme_is_an_option(raw_server: Any, connect: Connect, place: Place) -> None:
    """`Token` as documented, or another word."""
    server = await raw_server()
    await place(await connect(server, api_key="k"))
    await place(await connect(server, api_key="k", auth_scheme="Bearer"))
    assert b"Authorization: Token k\r\n" in server.requests[0]
    assert b"Authorization: Bearer k\r\n" in server.requests[1]


def test_a_client_shows_where_it_talks_to_and_no_key() -> None:
    """`repr` of the client and of its key source."""
    client = HamsaClient("sk_live_1", concurrency_limit=3)
    assert repr(client) == "<HamsaClient https://api.tryhamsa.com limit=3>"
    assert "sk_live_1" not in repr(client._transport.keys)
