"""`client.web_tools` and `client.web_tools_v2`: what agents call over the web while they talk.

Both ages of the routes take and give the same tools; v1 reads one by its id, v2 changes it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Required, Unpack

from hamsa_async._answers import pages_of, reads, writes
from hamsa_async._operations import (
    CREATE_WEB_TOOL,
    CREATE_WEB_TOOL_V2,
    UPDATE_WEB_TOOL_V2,
    WEB_TOOL,
    WEB_TOOLS,
    WEB_TOOLS_V2,
    Operation,
)
from hamsa_async._paging import Pages
from hamsa_async._requests import build
from hamsa_async._transport import Transport
from hamsa_async._writing import write, write_changes
from hamsa_async.models.rules import Length
from hamsa_async.models.web_tools import (
    WebTool,
    WebToolChanges,
    WebToolMessageFields,
    WebToolOptions,
    WebToolType,
)
from hamsa_async.resources.lists import by_query

_read_page = pages_of(WebTool, "items")


class _NewWebTool(WebToolOptions, total=False):
    name: Required[Annotated[str, Length(1)]]
    description: Required[str]
    async_: Required[bool]
    messages: Required[Sequence[WebToolMessageFields]]
    params: Required[Mapping[str, Any]]


class WebTools:
    """Tools by the v1 routes. Made by `HamsaClient`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        name: str,
        description: str,
        params: Mapping[str, Any],
        messages: Sequence[WebToolMessageFields] = (),
        async_: bool = False,
        **options: Unpack[WebToolOptions],
    ) -> WebTool:
        """Create a tool.

        Args:
            name: What the agent knows it by.
            description: When the agent is to use it.
            params: Its arguments, as a JSON schema of an object.
            messages: What the agent says around it.
            async_: Whether the agent talks on while it runs.
            options: Where it is called, and how; see `WebToolOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/web-tool`.
        """
        given = {
            "name": name,
            "description": description,
            "params": params,
            "messages": messages,
            "async_": async_,
            **options,
        }
        return await _create(self._transport, CREATE_WEB_TOOL, given)

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        is_active: bool | None = None,
        search: str | None = None,
        page_size: int = 10,
    ) -> Pages[WebTool]:
        """List tools.

        Args:
            voice_agent_id: Only this agent's.
            is_active: Only those that are, or are not.
            search: Only those that have this in their name.
            page_size: Rows a page, 1 or more. No upper limit is documented.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/web-tool/list`.
        """
        return by_query(
            self._transport,
            WEB_TOOLS,
            _read_page,
            page_size=page_size,
            query={"voiceAgentId": voice_agent_id, "isActive": is_active, "search": search},
        )

    async def get(self, web_tool_id: str) -> WebTool:
        """Read one tool.

        Args:
            web_tool_id: Its id.

        Raises:
            NotFoundError: There is no such tool in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/web-tool/{id}`.
        """
        return await self._transport.send(build(WEB_TOOL, id=web_tool_id), reads(WebTool))


class WebToolsV2:
    """Tools by the v2 routes. Made by `HamsaClient`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        name: str,
        description: str,
        params: Mapping[str, Any],
        messages: Sequence[WebToolMessageFields] = (),
        async_: bool = False,
        **options: Unpack[WebToolOptions],
    ) -> WebTool:
        """Create a tool; the arguments are those of `WebTools.create`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v2/voice-agents/web-tool`.
        """
        given = {
            "name": name,
            "description": description,
            "params": params,
            "messages": messages,
            "async_": async_,
            **options,
        }
        return await _create(self._transport, CREATE_WEB_TOOL_V2, given)

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        is_active: bool | None = None,
        search: str | None = None,
        collection_id: str | None = None,
        return_uncategorized: bool | None = None,
        type: WebToolType | str | None = None,  # noqa: A002 - the API's name
        page_size: int = 10,
    ) -> Pages[WebTool]:
        """List tools.

        Args:
            voice_agent_id: Only this agent's.
            is_active: Only those that are, or are not.
            search: Only those that have this in their name.
            collection_id: Only those of this collection.
            return_uncategorized: Whether to give those of no collection.
            type: Only those of this kind.
            page_size: Rows a page, 1 or more. No upper limit is documented.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v2/voice-agents/web-tool/list`.
        """
        return by_query(
            self._transport,
            WEB_TOOLS_V2,
            _read_page,
            page_size=page_size,
            query={
                "voiceAgentId": voice_agent_id,
                "isActive": is_active,
                "search": search,
                "collectionId": collection_id,
                "returnUncategorized": return_uncategorized,
                "type": type,
            },
        )

    async def update(self, web_tool_id: str, **changes: Unpack[WebToolChanges]) -> WebTool:
        """Change a tool. What is left out stays as it is.

        Args:
            web_tool_id: Its id.
            changes: One at least; see `WebToolChanges`.

        Returns:
            The tool as it is now.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such tool in this project.
            OutcomeUnknownError: It may have been changed. Doing it again may make one more
                version of it.
            HamsaError: `certainty` says what was proven.

        Source: `PATCH /v2/voice-agents/web-tool/{id}`.
        """
        body = write_changes(WebToolChanges, changes, what="web_tools_v2.update")
        return await self._transport.send(
            build(UPDATE_WEB_TOOL_V2, id=web_tool_id, body=body), writes(WebTool)
        )


async def _create(transport: Transport, operation: Operation, given: dict[str, Any]) -> WebTool:
    body = write(_NewWebTool, given, what=operation.name)
    return await transport.send(build(operation, body=body), writes(WebTool))
