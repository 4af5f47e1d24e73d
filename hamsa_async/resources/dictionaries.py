"""`client.dictionaries`: how agents are to pronounce words."""

from collections.abc import Sequence
from typing import Annotated, TypedDict, Unpack

from hamsa_async._answers import pages_of, read_nothing, writes
from hamsa_async._operations import (
    CREATE_DICTIONARY,
    DICTIONARIES,
    TOGGLE_DICTIONARY,
    UPDATE_DICTIONARY,
)
from hamsa_async._paging import Pages
from hamsa_async._requests import build
from hamsa_async._sender import Sender
from hamsa_async._writing import write, write_changes
from hamsa_async.models.dictionaries import (
    DictionaryWordFields,
    VoiceDictionary,
    VoiceDictionaryChanges,
    VoiceDictionarySummary,
)
from hamsa_async.models.rules import Length
from hamsa_async.options import RequestOptions, split_options
from hamsa_async.resources.lists import by_query

_read_page = pages_of(VoiceDictionarySummary, "dictionaries")


class _NewDictionary(TypedDict):
    name: Annotated[str, Length(1)]
    words: Sequence[DictionaryWordFields]


class _Toggle(TypedDict):
    dictionary_id: Annotated[str, Length(1)]
    voice_agent_id: Annotated[str, Length(1)]
    is_active: bool


class DictionaryArguments(VoiceDictionaryChanges, RequestOptions, total=False):
    """What `dictionaries.update` takes besides its id."""


class Dictionaries:
    """Dictionaries of pronunciation. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(
        self, *, name: str, words: Sequence[DictionaryWordFields], **options: Unpack[RequestOptions]
    ) -> VoiceDictionary:
        """Create a dictionary.

        Args:
            name: Not empty.
            words: What is said how.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may exist: look for it in `list`.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/voice-dictionaries`.
        """
        given = {"name": name, "words": words}
        body = write(_NewDictionary, given, what="dictionaries.create")
        return await self._sender.send(
            build(CREATE_DICTIONARY, body=body), writes(VoiceDictionary), options=options
        )

    def list(
        self,
        *,
        search: str | None = None,
        used: bool | None = None,
        voice_agent_id: str | None = None,
        page_size: int = 10,
        **options: Unpack[RequestOptions],
    ) -> Pages[VoiceDictionarySummary]:
        """List dictionaries, without their words.

        Args:
            search: Only those that have this in their name.
            used: Only those that an agent uses, or that none does.
            voice_agent_id: Only this agent's.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/voice-dictionaries/list`.
        """
        return by_query(
            self._sender,
            DICTIONARIES,
            _read_page,
            page_size=page_size,
            query={"search": search, "used": used, "voiceAgentId": voice_agent_id},
            options=options,
        )

    async def update(
        self, dictionary_id: str, **changes: Unpack[DictionaryArguments]
    ) -> VoiceDictionary:
        """Change a dictionary. What is left out stays as it is.

        Args:
            dictionary_id: Its id.
            changes: One at least, of `VoiceDictionaryChanges`; and `RequestOptions`.

        Returns:
            The dictionary as it is now.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such dictionary in this project.
            OutcomeUnknownError: It may have been changed. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `PATCH /v1/voice-agents/voice-dictionaries/{id}`.
        """
        fields, options = split_options(changes)
        body = write_changes(VoiceDictionaryChanges, fields, what="dictionaries.update")
        return await self._sender.send(
            build(UPDATE_DICTIONARY, id=dictionary_id, body=body),
            writes(VoiceDictionary),
            options=options,
        )

    async def toggle(
        self,
        *,
        dictionary_id: str,
        voice_agent_id: str,
        is_active: bool,
        **options: Unpack[RequestOptions],
    ) -> None:
        """Let an agent use a dictionary, or no longer.

        Args:
            dictionary_id: Which.
            voice_agent_id: Whose.
            is_active: Whether it is used from now on.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            NotFoundError: There is no such dictionary or agent in this project.
            OutcomeUnknownError: It may have been done. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/voice-dictionaries/toggle-activation`.
        """
        given = {
            "dictionary_id": dictionary_id,
            "voice_agent_id": voice_agent_id,
            "is_active": is_active,
        }
        body = write(_Toggle, given, what="dictionaries.toggle")
        await self._sender.send(build(TOGGLE_DICTIONARY, body=body), read_nothing, options=options)
