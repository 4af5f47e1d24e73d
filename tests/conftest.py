"""What holds for every test: no phone, no network, no file of the user's, nothing left behind."""

import asyncio
import ipaddress
import itertools
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("hamsa", deadline=None)
hypothesis.settings.load_profile("hamsa")

# What a shell may hold that would change what a test sees.
_FOREIGN = ("HAMSA_", "PYTHONASYNCIODEBUG")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_TERMINAL = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR")

_HOMES = {
    "HOME": ".",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_RUNTIME_DIR": ".run",
}

_home_numbers = itertools.count()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _environment_of_nobody(_homes: Path) -> Iterator[None]:
    """No key, no server and no proxy from the shell, and an empty home for each test."""
    home = _homes / str(next(_home_numbers))
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_FOREIGN) or name.lower() in _PROXIES or name in _TERMINAL:
                patch.delenv(name)
        for name, folder in _HOMES.items():
            patch.setenv(name, str(home / folder))
        yield


class ElsewhereError(OSError):
    """A test reached for another machine."""


def _is_here(address: object) -> bool:
    if not isinstance(address, tuple):  # a path: a Unix socket
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    """Only this machine may be connected to. Trying elsewhere fails, also where it is caught.

    A name under `.invalid` does not resolve, as it never does, without anybody being asked.
    """
    reached: list[str] = []

    def refuse(what: str) -> NoReturn:
        reached.append(what)
        raise ElsewhereError(what)

    connect = socket.socket.connect
    connect_ex = socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _is_here(address):
            refuse(f"connect to {address!r}")
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_here(address):
            refuse(f"connect to {address!r}")
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name and not _is_number(name) and name != "localhost":
            refuse(f"look up {name!r}")
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield
    if reached:
        pytest.fail(f"the test reached for another machine: {'; '.join(reached)}", pytrace=False)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    """A test ends what it began: no task is left when its fixtures are gone too."""
    before = asyncio.all_tasks()
    yield
    for _ in range(3):  # a task that is just ending may
        await asyncio.sleep(0)
    # pytest-asyncio tears a fixture down in a task of its own.
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        names = "\n".join(f"  {task!r}" for task in left)
        pytest.fail(f"{len(left)} tasks were left behind:\n{names}", pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look for tasks left by every test that runs on a loop, after its own fixtures' ends."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("asyncio"):
            item.fixturenames.insert(0, "_no_task_left")
