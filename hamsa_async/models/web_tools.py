"""Tools that an agent can call over the web while it talks.

Sources: docs.tryhamsa.com/api-reference/create-a-new-web-tool, endpoint/v2/create-web-tool.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

import attrs

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra
from hamsa_async.models.rules import AtLeast


class WebToolType(enum.StrEnum):
    """What kind of tool it is. An open set."""

    FUNCTION = "FUNCTION"
    MCP = "MCP"


@frozen(kw_only=True, eq=False, repr=False)
class WebToolSettings(Value, shows=("method_type", "timeout")):
    """Where a tool is called, and how."""

    server_url: str | None = None
    method_type: str | None = None
    auth_token: str | None = None
    timeout: float | None = None
    """Its unit is not documented."""

    http_headers: Mapping[str, Any] | None = None
    path_parameters: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class WebToolMessage(Value, shows=("type",)):
    """What is said around a tool's call."""

    type: str | None = None
    """`REQUEST_START` in v2, `system` in v1."""

    content: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class WebTool(Value, shows=("id", "name", "type", "version")):
    """A saved tool, as both ages of the routes give it."""

    id: Id
    persistent_id: str | None = None
    """The same for all versions of a tool."""

    version: int | None = None
    name: str | None = None
    type: WebToolType | str | None = None
    user_id: str | None = None
    project_id: str | None = None
    is_active: bool | None = None
    async_: bool | None = attrs.field(default=None, alias="async_")
    description: str | None = None
    collection_id: str | None = None
    tool_settings: WebToolSettings | None = None
    params: Mapping[str, Any] | None = None
    """The tool's arguments, as a JSON schema of an object."""

    messages: Sequence[WebToolMessage] | None = None
    extra: Mapping[str, Any] = extra()


class WebToolSettingsFields(TypedDict, total=False):
    """Where a tool is to be called, and how."""

    server_url: str | None
    method_type: str | None
    auth_token: str | None
    time_out: Annotated[float, AtLeast(0)] | None
    """Comes back as `timeout`."""

    http_headers: Mapping[str, Any] | None
    path_parameters: Mapping[str, Any] | None


class WebToolMessageFields(TypedDict, total=False):
    """What is to be said around a tool's call."""

    type: str | None
    content: str | None


class WebToolOptions(TypedDict, total=False):
    """What a tool may have besides."""

    type: str
    """`FUNCTION` or `MCP`."""
    collection_id: str | None
    tool_settings: WebToolSettingsFields | None


class WebToolChanges(WebToolOptions, total=False):
    """What may be changed of a tool. What is left out stays as it is."""

    name: str
    description: str
    async_: bool
    messages: Sequence[WebToolMessageFields]
    params: Mapping[str, Any]
