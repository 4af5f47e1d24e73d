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
from hamsa_async._sender import Sender
from hamsa_async._writing import write, write_changes
from hamsa_async.models.rules import Length
from hamsa_async.models.web_tools import (
    WebTool,
    WebToolChanges,
    WebToolMessageFields,
    WebToolOptions,
    WebToolType,
)
from hamsa_async.options import RequestOptions, split_options
from hamsa_async.resources.lists import by_query

_read_page = pages_of(WebTool, "items")


class _NewWebTool(WebToolOptions, total=False):
    name: Required[Annotated[str, Length(1)]]
    description: Required[str]
    async_: Required[bool]
    messages: Required[Sequence[WebToolMessageFields]]
    params: Required[Mapping[str, Any]]


class NewToolArguments(WebToolOptions, RequestOptions, total=False):
    """What `create` takes besides its own arguments."""


class ToolArguments(WebToolChanges, RequestOptions, total=False):
    """What `web_tools_v2.update` takes besides an id."""


class WebTools:
    """Tools by the v1 routes. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(
        self,
        *,
        name: str,
        description: str,
        params: Mapping[str, Any],
        messages: Sequence[WebToolMessageFields] = (),
        async_: bool = False,
        **options: Unpack[NewToolArguments],
    ) -> WebTool:
        """Create a tool.

        Args:
            name: What the agent knows it by.
            description: When the agent is to use it.
            params: Its arguments, as a JSON schema of an object.
            messages: What the agent says around it.
            async_: Whether the agent talks on while it runs.
            options: Where it is called, and how; see `WebToolOptions`, and `RequestOptions`.

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
        return await _create(self._sender, CREATE_WEB_TOOL, given)

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        is_active: bool | None = None,
        search: str | None = None,
        page_size: int = 10,
        **options: Unpack[RequestOptions],
    ) -> Pages[WebTool]:
        """List tools.

        Args:
            voice_agent_id: Only this agent's.
            is_active: Only those that are, or are not.
            search: Only those that have this in their name.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/web-tool/list`.
        """
        return by_query(
            self._sender,
            WEB_TOOLS,
            _read_page,
            page_size=page_size,
            query={"voiceAgentId": voice_agent_id, "isActive": is_active, "search": search},
            options=options,
        )

    async def get(self, web_tool_id: str, **options: Unpack[RequestOptions]) -> WebTool:
        """Read one tool.

        Args:
            web_tool_id: Its id.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such tool in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/web-tool/{id}`.
        """
        return await self._sender.send(
            build(WEB_TOOL, id=web_tool_id), reads(WebTool), options=options
        )


class WebToolsV2:
    """Tools by the v2 routes. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(
        self,
        *,
        name: str,
        description: str,
        params: Mapping[str, Any],
        messages: Sequence[WebToolMessageFields] = (),
        async_: bool = False,
        **options: Unpack[NewToolArguments],
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
        return await _create(self._sender, CREATE_WEB_TOOL_V2, given)

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
        **options: Unpack[RequestOptions],
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
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v2/voice-agents/web-tool/list`.
        """
        return by_query(
            self._sender,
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
            options=options,
        )

    async def update(self, web_tool_id: str, **changes: Unpack[ToolArguments]) -> WebTool:
        """Change a tool. What is left out stays as it is.

        Args:
            web_tool_id: Its id.
            changes: One at least, of `WebToolChanges`; and `RequestOptions`.

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
        fields, options = split_options(changes)
        body = write_changes(WebToolChanges, fields, what="web_tools_v2.update")
        return await self._sender.send(
            build(UPDATE_WEB_TOOL_V2, id=web_tool_id, body=body), writes(WebTool), options=options
        )


async def _create(sender: Sender, operation: Operation, given: dict[str, Any]) -> WebTool:
    fields, options = split_options(given)
    body = write(_NewWebTool, fields, what=operation.name)
    return await sender.send(build(operation, body=body), writes(WebTool), options=options)
