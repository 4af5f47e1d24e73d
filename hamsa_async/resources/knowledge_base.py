"""`client.knowledge_base`: what agents can look up."""

from collections.abc import Sequence
from typing import Annotated, TypedDict, Unpack

from hamsa_async._answers import pages_of, read_made_items, reads
from hamsa_async._operations import CREATE_KNOWLEDGE, KNOWLEDGE, KNOWLEDGE_ITEM
from hamsa_async._paging import Pages
from hamsa_async._requests import build
from hamsa_async._sender import Sender
from hamsa_async._writing import write
from hamsa_async.models.knowledge_base import KnowledgeBaseItem, KnowledgeBaseItemFields
from hamsa_async.models.rules import Length
from hamsa_async.options import RequestOptions
from hamsa_async.resources.lists import by_query

_read_page = pages_of(KnowledgeBaseItem, "items")


class _NewItems(TypedDict):
    items: Annotated[Sequence[KnowledgeBaseItemFields], Length(1)]


class KnowledgeBase:
    """Texts, files and pages. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(
        self, items: Sequence[KnowledgeBaseItemFields], **options: Unpack[RequestOptions]
    ) -> Sequence[KnowledgeBaseItem]:
        """Add items. They can be used once their status is `PROCESSED`.

        Args:
            items: One at least.
            options: See `RequestOptions`.

        Returns:
            What the API says of them; its page shows a single item.

        Raises:
            ConfigurationError: An item is not valid. Nothing was sent.
            OutcomeUnknownError: They may have been added: look for them in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/knowledge-base`.
        """
        body = write(_NewItems, {"items": items}, what="knowledge_base.create")
        return await self._sender.send(
            build(CREATE_KNOWLEDGE, body=body), read_made_items, options=options
        )

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        is_active: bool | None = None,
        used: bool | None = None,
        search: str | None = None,
        type: str | Sequence[str] | None = None,  # noqa: A002 - the API's name
        page_size: int = 10,
        **options: Unpack[RequestOptions],
    ) -> Pages[KnowledgeBaseItem]:
        """List items.

        Args:
            voice_agent_id: Only this agent's.
            is_active: Only those that are, or are not.
            used: Only those that an agent uses, or that none does.
            search: Only those that have this in their name.
            type: Only those of this kind, or of one of these.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/knowledge-base/list`.
        """
        return by_query(
            self._sender,
            KNOWLEDGE,
            _read_page,
            page_size=page_size,
            query={
                "voiceAgentId": voice_agent_id,
                "isActive": is_active,
                "used": used,
                "search": search,
                "type": type,
            },
            options=options,
        )

    async def get(self, item_id: str, **options: Unpack[RequestOptions]) -> KnowledgeBaseItem:
        """Read one item.

        Args:
            item_id: Its id.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such item in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/knowledge-base/{id}`.
        """
        return await self._sender.send(
            build(KNOWLEDGE_ITEM, id=item_id), reads(KnowledgeBaseItem), options=options
        )
