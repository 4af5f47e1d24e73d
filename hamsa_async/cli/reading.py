"""What the commands that only read stand on: a client of one's own account, or of an example."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from hamsa_async._keys import KeySource
from hamsa_async.cli.output import people
from hamsa_async.client import HamsaClient
from hamsa_async.errors import ConfigurationError, NotFoundError


@contextlib.asynccontextmanager
async def reading(*, fake: bool) -> AsyncIterator[HamsaClient]:
    """A client for reading.

    Args:
        fake: Of an embedded fake server with an account as an example; needs no key.

    Raises:
        ConfigurationError: There is no key.
    """
    if not fake:
        key_origin()
        async with HamsaClient() as client:
            yield client
        return
    # The fake and its server are a third of what there is to import, and only needed here.
    from hamsa_async.testing import FAKE_API_KEY  # noqa: PLC0415
    from hamsa_async.testing.example import example  # noqa: PLC0415

    async with example() as server, HamsaClient(FAKE_API_KEY, base_url=server.base_url) as client:
        people().print("an example: a fake server's account, not yours", style="dim")
        yield client


@contextlib.contextmanager
def known(what: str, *, listed_by: str) -> Iterator[None]:
    """Say where ids are found, where one is not known.

    Raises:
        NotFoundError: It is not.
    """
    try:
        yield
    except NotFoundError as error:
        raise NotFoundError(
            f"there is no such {what} in this project: {listed_by} shows those that are",
            status=error.status,
        ) from error


def key_origin() -> str:
    """Where the key comes from, for people; never the key.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        return KeySource.find(None).origin
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; --fake shows an example without one") from None
