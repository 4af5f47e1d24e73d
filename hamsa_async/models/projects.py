"""The project that an API key belongs to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from hamsa_async._masking import show_text
from hamsa_async._values import frozen


@frozen(kw_only=True)
class Project:
    """Source: `GET /v1/projects/by-api-key`."""

    id: str
    name: str | None = attrs.field(default=None, repr=show_text)
    is_deactivated: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
