"""What a project keeps besides its calls: agents, numbers, tools, knowledge, dictionaries, batches.

Batches are written down and never dialed: nobody rings because of one.
"""

import copy
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from hamsa_async.testing.account import saved_agent
from hamsa_async.testing.bodies import AGENT_V1_FIELDS, AGENT_V2_FIELDS
from hamsa_async.testing.clock import ServerClock
from hamsa_async.testing.messages import refuse
from hamsa_async.testing.settings import Settings
from hamsa_async.testing.shapes import keep

Row = dict[str, Any]

USER_ID: Final = "6d2f0a94-8b1e-4c75-a3d9-f07c5e1b2a86"
_WRITABLE_V1: Final = {**AGENT_V1_FIELDS, "isTemplate": None, "icon": None}


def iso(at: datetime) -> str:
    """A moment as the API writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@attrs.define(eq=False)
class Shelf:
    """Things of one kind, in the order in which they came."""

    rows: dict[str, Row] = attrs.field(factory=dict)

    def put(self, row: Row) -> Row:
        """Keep a thing under its id."""
        self.rows[row["id"]] = row
        return row

    def get(self, row_id: str) -> Row:
        """A thing; refuses an id that nothing has."""
        if row_id not in self.rows:
            raise refuse(404)
        return self.rows[row_id]

    def all(self) -> Sequence[Row]:
        """All of them, the newest first, as lists show them."""
        return list(reversed(self.rows.values()))


class Catalogue:
    """Keeps what the routes create, and gives it in the API's shapes."""

    def __init__(self, fake: Settings, clock: ServerClock) -> None:
        self._fake = fake
        self._clock = clock
        self._agents_before: dict[str, Row] | None = None
        self._v2: dict[str, Row] = {}
        self.numbers: Shelf = Shelf()
        self.tools: Shelf = Shelf()
        self.items: Shelf = Shelf()
        self.dictionaries: Shelf = Shelf()
        self.campaigns: Shelf = Shelf()

    def clear(self) -> None:
        """Forget all that was created, and take back what was changed."""
        if self._agents_before is not None:
            self._fake.agents, self._agents_before = self._agents_before, None
        self._v2.clear()
        for shelf in self._shelves():
            shelf.rows.clear()

    def remember(self) -> Callable[[], None]:
        """Remember how everything is now; what is returned brings that back."""
        agents = self._fake.agents and _copied(self._fake.agents)
        before, v2 = self._agents_before, _copied(self._v2)
        rows = [_copied(shelf.rows) for shelf in self._shelves()]

        def take_back() -> None:
            self._fake.agents, self._agents_before, self._v2 = agents, before, v2
            for shelf, those in zip(self._shelves(), rows, strict=True):
                shelf.rows = those

        return take_back

    def _shelves(self) -> Sequence[Shelf]:
        return (self.numbers, self.tools, self.items, self.dictionaries, self.campaigns)

    def _new(self) -> Row:
        now = iso(self._clock.now())
        return {"id": str(uuid.uuid4()), "createdAt": now, "updatedAt": now}

    def _changed(self) -> str:
        return iso(self._clock.now())

    # -- agents: one list, shown in two shapes

    def agents(self) -> Sequence[Row]:
        """The saved agents; none where every id exists."""
        return [saved_agent(self._fake, agent_id) for agent_id in self._fake.agents or ()]

    def agents_v2(self) -> Sequence[Row]:
        """The same in groups."""
        return [self._grouped(agent) for agent in self.agents()]

    def agent_v2(self, agent_id: str) -> Row:
        """One agent in groups."""
        return self._grouped(saved_agent(self._fake, agent_id))

    def create_agent(self, body: Row) -> Row:
        """A new agent."""
        return self._save_agent(self._new(), keep(body, _WRITABLE_V1))

    def update_agent(self, agent_id: str, body: Row) -> Row:
        """A changed agent."""
        saved_agent(self._fake, agent_id)
        changes = {**keep(body, _WRITABLE_V1), "updatedAt": self._changed()}
        return self._save_agent({"id": agent_id}, changes)

    def clone_agent(self, agent_id: str, body: Row) -> Row:
        """A copy of an agent."""
        original = saved_agent(self._fake, agent_id)
        name = body.get("agentName") or f"{original['agentName']} (copy)"
        return self._save_agent({**original, **self._new()}, {"agentName": name})

    def create_agent_v2(self, body: Row) -> Row:
        """A new agent."""
        agent = self._save_agent(self._new(), {"agentName": body["name"]})
        return self._save_agent_v2(agent["id"], body)

    def update_agent_v2(self, agent_id: str, body: Row) -> Row:
        """A changed agent."""
        changes = {"agentName": body["name"]} if "name" in body else {}
        self.update_agent(agent_id, changes)
        return self._save_agent_v2(agent_id, body)

    def _save_agent(self, base: Row, changes: Row) -> Row:
        agents = self._fake.agents
        if agents is None:  # every id exists, so none is kept
            return {**saved_agent(self._fake, base["id"]), **base, **changes}
        if self._agents_before is None:
            self._agents_before = copy.deepcopy(agents)
        agents[base["id"]] = {**agents.get(base["id"], {}), **base, **changes}
        return saved_agent(self._fake, base["id"])

    def _save_agent_v2(self, agent_id: str, body: Row) -> Row:
        self._v2[agent_id] = {**self._v2.get(agent_id, {}), **keep(body, AGENT_V2_FIELDS)}
        return self.agent_v2(agent_id)

    def _grouped(self, agent: Mapping[str, Any]) -> Row:
        return {
            "id": agent["id"],
            "name": agent["agentName"],
            "type": agent.get("type") or "Single Prompt",
            "conversation": keep(
                agent, dict.fromkeys(("greetingMessage", "preamble", "pokeMessages", "params"))
            ),
            "voice": {"voiceId": agent["voiceRecordId"], "lang": agent["lang"]},
            "llm": None,
            "callSettings": keep(agent, dict.fromkeys(("interrupt", "silenceThreshold"))),
            "tools": [],
            "knowledgeBaseItemsIds": [],
            "voiceDictionaryIds": [],
            "phoneNumber": None,
            "webhookUrl": None,
            "webhookAuth": None,
            "workflow": None,
            "outcomeResponseShape": None,
            "resolvedWebTools": [],
            "account": {"plan": "fake"},
            "createdAt": agent["createdAt"],
            "updatedAt": agent["updatedAt"],
            **self._v2.get(agent["id"], {}),
        }

    # -- numbers

    def add_number(self, body: Row) -> Row:
        """A number that nobody has yet."""
        number = body.get("phoneNumber", "")
        if self._number(number) is not None:
            raise refuse(400, "there is that number already")
        outbound = body.get("sipOutboundConfigs")
        return self.numbers.put(
            {
                **self._new(),
                "number": number,
                "label": body.get("label"),
                "type": body["type"],
                "userId": USER_ID,
                "sipInboundConfigs": {"originationUri": "sip:sip.fake.invalid:5060"},
                "sipOutboundConfigs": outbound,
                "voiceAgentId": None,
                "voiceAgent": None,
            }
        )

    def assign_number(self, body: Row) -> Row:
        """A number that is an agent's now."""
        agent = saved_agent(self._fake, body["voiceAgentId"])
        number = self._known_number(body.get("phoneNumber", ""))
        number["voiceAgentId"] = agent["id"]
        number["voiceAgent"] = {"id": agent["id"], "name": agent["agentName"]}
        number["updatedAt"] = self._changed()
        return number

    def unassign_number(self, body: Row) -> str:
        """What is said when a number is nobody's again."""
        number = self._known_number(body["phoneNumber"])
        number.update(voiceAgentId=None, voiceAgent=None, updatedAt=self._changed())
        return "Phone number unassigned"

    def _number(self, number: str) -> Row | None:
        return next((row for row in self.numbers.rows.values() if row["number"] == number), None)

    def _known_number(self, number: str) -> Row:
        row = self._number(number)
        if row is None:
            raise refuse(404, "there is no such phone number")
        return row

    # -- tools, knowledge, dictionaries

    def create_tool(self, body: Row) -> Row:
        """A new tool."""
        made = {"id": str(uuid.uuid4()), "persistentId": str(uuid.uuid4()), "version": 1}
        about = {"userId": USER_ID, "projectId": self._fake.project_id, "isActive": True}
        return self.tools.put({**made, **about, **_tool(body)})

    def update_tool(self, tool_id: str, body: Row) -> Row:
        """The next version of a tool."""
        tool = self.tools.get(tool_id)
        tool.update(_tool(body), version=tool["version"] + 1)
        return tool

    def create_items(self, body: Row) -> Row:
        """The first of the items that were added, as the documentation's page shows it."""
        first, *_ = [self._create_item(item) for item in body["items"]]
        return first

    def _create_item(self, item: Row) -> Row:
        made = self._new()
        del made["updatedAt"]
        content = item.get("content")
        return self.items.put(
            {
                **made,
                "userId": USER_ID,
                "projectId": self._fake.project_id,
                "itemName": item.get("itemName"),
                "fileSize": None,
                "type": item.get("type", "TEXT"),
                "status": "PROCESSED",
                "failureReason": None,
                "content": content,
                "itemUrl": item.get("itemUrl"),
                "itemUrls": item.get("itemUrls"),
                "wordsNumber": len((content or "").split()),
                "extension": None,
                "isActive": True,
                "used": False,
            }
        )

    def create_dictionary(self, body: Row) -> Row:
        """A new dictionary."""
        return self.dictionaries.put(
            {**self._new(), "name": body["name"], "words": body["words"], "agents": []}
        )

    def update_dictionary(self, dictionary_id: str, body: Row) -> Row:
        """A changed dictionary."""
        dictionary = self.dictionaries.get(dictionary_id)
        dictionary.update(keep(body, {"name": None, "words": None}), updatedAt=self._changed())
        return dictionary

    def toggle_dictionary(self, body: Row) -> None:
        """Let an agent use a dictionary, or no longer."""
        agent_id = saved_agent(self._fake, body["voiceAgentId"])["id"]
        dictionary = self.dictionaries.get(body["dictionaryId"])
        users = [user for user in dictionary["agents"] if user != agent_id]
        dictionary["agents"] = [*users, agent_id] if body["isActive"] else users

    def dictionary_summaries(self) -> Sequence[Row]:
        """Dictionaries without their words, and who uses them."""
        return [
            {
                "id": row["id"],
                "name": row["name"],
                "wordsCount": len(row["words"]),
                "isUsed": bool(row["agents"]),
                "createdAt": row["createdAt"],
                "agents": row["agents"],
            }
            for row in self.dictionaries.all()
        ]

    # -- batches

    def create_campaign(self, body: Row) -> Row:
        """A new batch, which nobody dials."""
        saved_agent(self._fake, body["voiceAgentId"])
        campaign = {
            **self._new(),
            "name": body["name"],
            "status": "SCHEDULED" if body.get("scheduledDate") else "PENDING",
            "sendType": body.get("sendType", "NOW"),
            "scheduledDate": body.get("scheduledDate"),
            "scheduledTimezone": body.get("scheduledTimezone"),
            "timeRange": body.get("timeRange"),
            "reservedConcurrency": body.get("reservedConcurrency"),
            "webhookUrl": body.get("webhookUrl"),
            "projectId": self._fake.project_id,
            "userId": USER_ID,
            "voiceAgentId": body["voiceAgentId"],
            "phoneNumberId": (self._number(body["phoneNumber"]) or {}).get("id"),
        }
        people = [self._recipient(campaign["id"], person) for person in body["recipients"]]
        self.campaigns.put({**campaign, "people": people})
        return campaign

    def _recipient(self, campaign_id: str, person: Row) -> Row:
        return {
            **self._new(),
            "campaignId": campaign_id,
            "phoneNumber": person["phoneNumber"],
            "name": person.get("name"),
            "ignoreE164Validation": person.get("ignoreE164Validation", False),
            "dynamicVariables": person.get("dynamicVariables", {}),
            "status": "PENDING",
            "latestActionTimestamp": None,
            "attempts": 0,
            "maxAttempts": 1,
            "nextRetryAt": None,
            "jobId": None,
            "lastError": None,
            "completedAt": None,
        }

    def campaign(self, campaign_id: str) -> Row:
        """A batch with everybody in it."""
        row = self.campaigns.get(campaign_id)
        agent = (self._fake.agents or {}).get(row["voiceAgentId"], {})
        return {
            **_without(row, "people", "userId", "phoneNumberId", "webhookUrl"),
            "totalRecipients": len(row["people"]),
            "agentName": agent.get("agentName"),
            "recipients": {"pending": row["people"], "queued": [], "inProgress": []},
        }

    def campaign_summaries(self) -> Sequence[Row]:
        """Batches in brief."""
        return [
            {
                **_without(row, "people", "userId", "phoneNumberId", "webhookUrl"),
                "recipientsCount": len(row["people"]),
            }
            for row in self.campaigns.all()
        ]


def _tool(body: Row) -> Row:
    """A tool as it comes back: its timeout is spelt another way."""
    tool = keep(
        body,
        dict.fromkeys(
            ("type", "name", "description", "async", "collectionId", "messages", "params")
        ),
    )
    if "toolSettings" in body:
        settings = dict(body["toolSettings"] or {})
        if "timeOut" in settings:
            settings["timeout"] = settings.pop("timeOut")
        tool["toolSettings"] = settings
    return tool


def _copied(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Rows by id, copied as deep as they are changed in place."""
    return {row_id: dict(row) for row_id, row in rows.items()}


def _without(row: Row, *names: str) -> Row:
    hidden: Iterable[str] = names
    return {name: value for name, value in row.items() if name not in hidden}
