"""The routes of what a project keeps besides its calls, and of its figures."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from aiohttp import web

from hamsa_async.testing import bodies, queries
from hamsa_async.testing.call_shapes import job
from hamsa_async.testing.catalogue import Catalogue, Row
from hamsa_async.testing.clock import ServerClock
from hamsa_async.testing.connections import Connection
from hamsa_async.testing.faults import Answer, Kind
from hamsa_async.testing.lifecycle import Calls
from hamsa_async.testing.messages import authorise, json_object, refuse, success
from hamsa_async.testing.settings import Settings
from hamsa_async.testing.shapes import Check

Respond: TypeAlias = Callable[[web.BaseRequest, Connection, str], Awaitable[Answer | None]]
_Show: TypeAlias = Callable[[web.BaseRequest, str], object]
_Do: TypeAlias = Callable[[web.BaseRequest, str, Row], object]

_EXPORT_STATUSES: Final = ("COMPLETED", "PENDING", "FAILED", "IN_PROGRESS", "NO_ANSWER")


class CatalogueRoutes:
    """Answers for a catalogue. A key is needed, and faults strike its reads and its writes."""

    def __init__(
        self, fake: Settings, clock: ServerClock, calls: Calls, catalogue: Catalogue
    ) -> None:
        self._fake = fake
        self._clock = clock
        self._calls = calls
        self._kept = catalogue
        self._exports: set[str] = set()

    def __iter__(self) -> Iterator[tuple[str, Respond]]:
        """Each route's name and what answers it. Of two that fit, the first goes."""
        kept = self._kept
        reads: dict[str, _Show] = {
            "GET /v1/agent-analytics/conversations/export": self._export,
            "GET /v1/agent-analytics/conversations/export/status": self._export_status,
            "GET /v1/agent-analytics/overview": self._overview,
            "GET /v1/agent-analytics/performance": self._performance,
            "GET /v1/agent-analytics/satisfaction": self._satisfaction,
            "GET /v1/jobs": self._job,
            "GET /v1/projects/statistics/numbers": self._statistics_numbers,
            "GET /v1/projects/statistics/chart": self._statistics_chart,
            "GET /v1/voice-agents": self._agents,
            "GET /v2/voice-agents": self._agents_v2,
            "GET /v1/voice-agents/phone-number": self._number,
            "GET /v1/voice-agents/phone-number/list": self._numbers,
            "GET /v1/voice-agents/web-tool/list": self._tools,
            "GET /v2/voice-agents/web-tool/list": self._tools,
            "GET /v1/voice-agents/web-tool/{id}": _by_id(kept.tools.get),
            "GET /v1/voice-agents/knowledge-base/list": self._items,
            "GET /v1/voice-agents/knowledge-base/{id}": _by_id(kept.items.get),
            "GET /v1/voice-agents/voice-dictionaries/list": self._dictionaries,
            "GET /v1/voice-agents/campaigns": self._campaigns,
            "GET /v1/voice-agents/campaigns/{id}": _by_id(kept.campaign),
            "GET /v2/voice-agents/{id}": _by_id(kept.agent_v2),
        }
        writes: dict[str, tuple[Check, _Do]] = {
            "POST /v1/voice-agents": (bodies.CREATE_AGENT, _made(kept.create_agent)),
            "POST /v1/voice-agents/clone": (bodies.CLONE_AGENT, self._clone),
            "POST /v2/voice-agents": (bodies.CREATE_AGENT_V2, _made(kept.create_agent_v2)),
            "POST /v1/voice-agents/phone-number": (bodies.add_number, _made(kept.add_number)),
            "POST /v1/voice-agents/assign-number": (
                bodies.ASSIGN_NUMBER,
                _made(kept.assign_number),
            ),
            "POST /v1/voice-agents/unassign": (
                bodies.UNASSIGN_NUMBER,
                _made(kept.unassign_number),
            ),
            "POST /v1/voice-agents/web-tool": (bodies.CREATE_TOOL, _made(kept.create_tool)),
            "POST /v2/voice-agents/web-tool": (bodies.CREATE_TOOL, _made(kept.create_tool)),
            "POST /v1/voice-agents/knowledge-base": (
                bodies.CREATE_ITEMS,
                _made(kept.create_items),
            ),
            "POST /v1/voice-agents/voice-dictionaries": (
                bodies.CREATE_DICTIONARY,
                _made(kept.create_dictionary),
            ),
            "POST /v1/voice-agents/voice-dictionaries/toggle-activation": (
                bodies.TOGGLE_DICTIONARY,
                _made(kept.toggle_dictionary),
            ),
            "POST /v1/voice-agents/campaigns": (
                bodies.CREATE_CAMPAIGN,
                _made(kept.create_campaign),
            ),
            "PATCH /v1/voice-agents/voice-dictionaries/{id}": (
                bodies.UPDATE_DICTIONARY,
                _changed(kept.update_dictionary),
            ),
            "PATCH /v1/voice-agents/{id}": (bodies.UPDATE_AGENT, _changed(kept.update_agent)),
            "PATCH /v2/voice-agents/web-tool/{id}": (
                bodies.UPDATE_TOOL,
                _changed(kept.update_tool),
            ),
            "PATCH /v2/voice-agents/{id}": (
                bodies.UPDATE_AGENT_V2,
                _changed(kept.update_agent_v2),
            ),
        }
        for name, show in reads.items():
            yield name, self._reading(show)
        # Its filter is a body, so it is asked by a POST; it changes nothing.
        yield "POST /v1/jobs/all", self._writing(bodies.LIST_JOBS, self._jobs, kind="read")
        for name, (check, do) in writes.items():
            yield name, self._writing(check, do)

    def _reading(self, show: _Show) -> Respond:
        async def respond(
            request: web.BaseRequest, connection: Connection, argument: str
        ) -> Answer | None:
            authorise(request, scheme=self._fake.scheme, keys=self._fake.api_keys)
            answer = success(show(request, argument))
            planned = self._fake.faults.choose("read")
            if planned is None:
                return answer
            return await planned.strike(connection.exchange(request, answer, self._clock.now()))

        return respond

    def _writing(self, check: Check, do: _Do, *, kind: Kind = "write") -> Respond:
        async def respond(
            request: web.BaseRequest, connection: Connection, argument: str
        ) -> Answer | None:
            authorise(request, scheme=self._fake.scheme, keys=self._fake.api_keys)
            body = await json_object(request, connection)
            check(body, "body")
            take_back = self._kept.remember()
            answer = success(do(request, argument, body))
            # Only now it is known that it would have been accepted.
            planned = self._fake.faults.choose(kind)
            if planned is None:
                return answer
            if not planned.rings:
                take_back()
            return await planned.strike(connection.exchange(request, answer, self._clock.now()))

        return respond

    # -- lists

    def _agents(self, request: web.BaseRequest, _: str) -> object:
        agents = self._kept.agents()
        return _list(request, "voiceAgents", agents, agents)

    def _agents_v2(self, request: web.BaseRequest, _: str) -> object:
        agents = self._kept.agents_v2()
        wanted = queries.search(request, lambda row: row["name"])
        types = request.query.getall("type", [])
        found = [row for row in agents if wanted(row) and (not types or row["type"] in types)]
        return _list(request, "voiceAgents", agents, found)

    def _numbers(self, request: web.BaseRequest, _: str) -> object:
        carrier = queries.one_of(request, "provider", ("TWILIO", "SIP"))
        owner = request.query.get("voiceAgentId")
        found = [
            row
            for row in self._kept.numbers.all()
            if carrier in {None, row["type"]} and owner in {None, row["voiceAgentId"]}
        ]
        return queries.page_in_skip(request, found)

    def _tools(self, request: web.BaseRequest, _: str) -> object:
        tools = self._kept.tools.all()
        active = queries.flag(request, "isActive")
        queries.flag(request, "returnUncategorized")
        wanted = queries.search(request, lambda row: row.get("name"))
        kind = request.query.get("type")
        found = [
            row
            for row in tools
            if wanted(row) and active in {None, row["isActive"]} and kind in {None, row.get("type")}
        ]
        return _list(request, "items", tools, found)

    def _items(self, request: web.BaseRequest, _: str) -> object:
        items = self._kept.items.all()
        active = queries.flag(request, "isActive")
        wanted = queries.search(request, lambda row: row["itemName"])
        types = request.query.getall("type", [])
        found = [
            row
            for row in items
            if wanted(row)
            and active in {None, row["isActive"]}
            and (not types or row["type"] in types)
        ]
        return _list(request, "items", items, found)

    def _dictionaries(self, request: web.BaseRequest, _: str) -> object:
        used = queries.flag(request, "used")
        wanted = queries.search(request, lambda row: row["name"])
        owner = request.query.get("voiceAgentId")
        found = [
            row
            for row in self._kept.dictionary_summaries()
            if wanted(row)
            and used in {None, row["isUsed"]}
            and (not owner or owner in row["agents"])
        ]
        return {
            "dictionaries": queries.page_in_skip(request, found),
            "total": len(found),
            "page": queries.whole(request, "skip", 1, least=1),
            "pageSize": queries.whole(request, "take", 10, least=1),
        }

    def _campaigns(self, request: web.BaseRequest, _: str) -> object:
        wanted = queries.search(request, lambda row: row["name"])
        owner = request.query.get("voiceAgentId")
        found = [
            row
            for row in self._kept.campaign_summaries()
            if wanted(row) and owner in {None, row["voiceAgentId"]}
        ]
        page = queries.rows_in_skip(request, found)
        return {"campaigns": page, "totalCount": len(found), "returnedCount": len(page)}

    def _jobs(self, request: web.BaseRequest, _: str, body: Row) -> object:
        queries.needed(request, "projectId")
        take, skip = int(body.get("take", 10)), int(body.get("skip", 1))
        # The page's filter knows no type for calls; without one they are in it like all jobs.
        now = self._clock.now()
        calls = [] if "type" in body else list(reversed(self._calls.placed))
        found = [call for call in calls if body.get("status", call.status(now)) == call.status(now)]
        rows = [
            {
                "id": call.ring.call_id,
                "title": call.agent["agentName"],
                "type": "VOICE_AGENTS",
                "url": None,
                "status": call.status(now),
                "cost": None,
                "attributes": {"agentName": call.agent["agentName"]},
            }
            for call in found[(skip - 1) * take : skip * take]
        ]
        return {"jobs": rows, "total": len(self._calls.placed), "filtered": len(found)}

    # -- single things

    def _number(self, request: web.BaseRequest, _: str) -> object:
        queries.needed(request, "pid")
        return self._kept.numbers.get(request.query["pid"])

    def _job(self, request: web.BaseRequest, _: str) -> object:
        queries.needed(request, "jobId")
        call = self._calls.by_id.get(request.query["jobId"])
        if call is None:
            raise refuse(404)
        return job(call, self._clock.now())

    def _clone(self, request: web.BaseRequest, _: str, body: Row) -> object:
        queries.needed(request, "voiceAgentId")
        return self._kept.clone_agent(request.query["voiceAgentId"], body)

    # -- exports and figures

    def _export(self, request: web.BaseRequest, _: str) -> object:
        queries.needed(request, "voiceAgentId")
        queries.one_of(request, "period", queries.PERIODS)
        queries.one_of(request, "status", _EXPORT_STATUSES)
        export_id = f"export-{len(self._exports) + 1}"
        self._exports.add(export_id)
        return {"exportId": export_id}

    def _export_status(self, request: web.BaseRequest, _: str) -> object:
        queries.needed(request, "projectId", "exportId")
        if request.query["exportId"] not in self._exports:
            raise refuse(404)
        return {"status": "ready", "downloadUrl": "https://fake.invalid/export.csv", "error": None}

    def _statistics_numbers(self, request: web.BaseRequest, _: str) -> object:
        queries.needed(request, "startPeriod", "endPeriod", "projectId")
        nothing = {"value": 0, "unit": "minutes"}
        return {
            "tokens": nothing,
            "transcription": nothing,
            "price": {"value": 0, "unit": "USD"},
            "requests": {"value": str(len(self._calls.placed)), "unit": "requests"},
        }

    def _statistics_chart(self, request: web.BaseRequest, _: str) -> object:
        queries.needed(request, "startPeriod", "endPeriod", "projectId")
        return {
            "cost": [],
            "requests": [
                {
                    "date": call.ring.at.isoformat(timespec="milliseconds"),
                    "value": 1,
                    "unit": "requests",
                }
                for call in self._calls.placed[-1:]
            ],
            "transcription": [],
            "tokens": [],
        }

    def _overview(self, request: web.BaseRequest, _: str) -> object:
        queries.one_of(request, "period", queries.PERIODS)
        return {
            "liveSessionsNumber": self._calls.live(self._clock.now()),
            "totalSessionsNumber": len(self._calls.placed),
            "averageSessionDuration": None,
            "callsOverTime": [],
            "callsByDurationBuckets": {"shortDurationBucketCalls": len(self._calls.placed)},
        }

    def _performance(self, request: web.BaseRequest, _: str) -> object:
        queries.one_of(request, "period", queries.PERIODS)
        return {"latency": 0, "avgLlmResponseTime": None, "sessionsHaveErrorsPercentage": 0}

    def _satisfaction(self, request: web.BaseRequest, _: str) -> object:
        queries.one_of(request, "period", queries.PERIODS)
        return {"npsScore": None, "sentimentDistribution": {"neutral": 100}, "csatScore": None}


def _by_id(get: Callable[[str], Row]) -> _Show:
    return lambda _, row_id: get(row_id)


def _made(create: Callable[[Row], object]) -> _Do:
    return lambda _, __, body: create(body)


def _changed(update: Callable[[str, Row], object]) -> _Do:
    return lambda _, row_id, body: update(row_id, body)


def _list(
    request: web.BaseRequest, name: str, rows: Sequence[Any], found: Sequence[Any]
) -> dict[str, Any]:
    page = queries.page_in_skip(request, found)
    return {"total": len(rows), "filtered": len(found), name: page}
