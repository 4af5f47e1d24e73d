"""What agents can look up.

Source: docs.tryhamsa.com/api-reference/create-new-knowledge-base-items.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Id, Value, extra


@frozen(kw_only=True, eq=False, repr=False)
class KnowledgeBaseItem(Value, shows=("id", "item_name", "type", "status")):
    """One text, file or page."""

    id: Id
    user_id: str | None = None
    project_id: str | None = None
    item_name: str | None = None
    file_size: str | None = None
    type: str | None = None
    """`TEXT`, ... An open set."""

    status: str | None = None
    """`PROCESSED` once it can be used. An open set."""

    failure_reason: str | None = None
    content: str | None = None
    item_url: str | None = None
    item_urls: Sequence[str] | None = None
    words_number: float | None = None
    extension: str | float | None = None
    created_at: datetime | None = None
    is_active: bool | None = None
    used: bool | None = None
    extra: Mapping[str, Any] = extra()


class KnowledgeBaseItemFields(TypedDict, total=False):
    """One text, file or page to be added."""

    item_name: str
    type: str
    content: str
    item_url: str
    item_urls: Sequence[str]
