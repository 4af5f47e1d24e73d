"""Which route a request is for."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias
from urllib.parse import unquote

import attrs
from aiohttp import web

from hamsa_async.testing.catalogue_routes import CatalogueRoutes
from hamsa_async.testing.connections import Connection
from hamsa_async.testing.control import Control
from hamsa_async.testing.faults import Answer
from hamsa_async.testing.placing import Placing
from hamsa_async.testing.reads import Reads

Respond: TypeAlias = Callable[[web.BaseRequest, Connection, str], Awaitable[Answer | None]]


@attrs.frozen(kw_only=True)
class Route:
    """One route.

    Attributes:
        name: Method and path; one part of the path may be an argument, in braces.
        answer: Answers a request, given its connection and its argument, empty for none.
        counted: Whether it is one of the API's, so that requests for it count.
    """

    name: str
    answer: Respond
    counted: bool = True
    pattern: re.Pattern[str] = attrs.field(init=False)

    @pattern.default
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", "([^/]+)", self.name))


def all_routes(
    placing: Placing, reads: Reads, catalogue: CatalogueRoutes, control: Control
) -> Sequence[Route]:
    """Every route there is. Of two that fit, the first goes."""
    return (
        Route(name="POST /v1/voice-agents/call", answer=placing.respond),
        Route(name="POST /v1/voice-agents/phone-number/call", answer=placing.respond_from_number),
        Route(name="GET /v1/voice-agents/conversation/{conversationId}", answer=reads.conversation),
        Route(name="GET /v1/voice-agents/conversations/minimal-list", answer=reads.minimal_list),
        *(Route(name=name, answer=answer) for name, answer in catalogue),
        Route(name="GET /v1/voice-agents/{voiceAgentId}", answer=reads.agent),
        Route(name="GET /v1/projects/by-api-key", answer=reads.project),
        Route(name="GET /_fake/ledger", counted=False, answer=control.show_ledger),
        Route(name="GET /_fake/faults", counted=False, answer=control.show_faults),
        Route(name="POST /_fake/faults", counted=False, answer=control.take_faults),
        Route(name="GET /_fake/webhooks", counted=False, answer=control.show_webhooks),
        Route(name="POST /_fake/webhooks", counted=False, answer=control.take_webhooks),
        Route(name="POST /_fake/reset", counted=False, answer=control.take_reset),
    )


def find(routes: Sequence[Route], method: str, path: str) -> tuple[Route | None, str]:
    """The route of a request and its argument; no route where there is none."""
    for route in routes:
        match = route.pattern.fullmatch(f"{method} {path}")
        if match:
            return route, unquote(match[1]) if match.groups() else ""
    return None, ""
