"""How agents are to pronounce words.

Source: docs.tryhamsa.com/api-reference/endpoint/create-voice-dictionary.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra


@frozen(kw_only=True, eq=False, repr=False)
class DictionaryWord(Value, shows=("word",)):
    """A word and how it is said."""

    word: str | None = None
    pronunciation: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class VoiceDictionary(Value, shows=("id", "name")):
    """A dictionary with its words."""

    id: Id
    name: str | None = None
    words: Sequence[DictionaryWord] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class VoiceDictionarySummary(Value, shows=("id", "name", "words_count", "is_used")):
    """A dictionary in brief."""

    id: Id
    name: str | None = None
    words_count: int | None = None
    is_used: bool | None = None
    created_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


class DictionaryWordFields(TypedDict):
    """A word and how it is to be said."""

    word: str
    pronunciation: str


class VoiceDictionaryChanges(TypedDict, total=False):
    """What may be changed of a dictionary. What is left out stays as it is."""

    name: str
    words: Sequence[DictionaryWordFields]
    """All of its words: those that are left out are gone."""
