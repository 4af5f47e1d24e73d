"""`client.projects`: the project that the key belongs to."""

from hamsa_async._transport import Transport
from hamsa_async._wire import PROJECT, build_read, parse_project
from hamsa_async.models.projects import Project


class Projects:
    """Reads about the project. Made by `HamsaClient`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def current(self) -> Project:
        """Read the project of the API key: the cheapest way to check a key.

        Source: `GET /v1/projects/by-api-key`.

        Raises:
            AuthenticationError: The key was not accepted.
            HamsaError: Nothing was learnt; a read may always be tried again.
        """
        return await self._transport.send(build_read(PROJECT), parse_project)
