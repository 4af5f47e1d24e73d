"""What the routes know of the fake that they belong to."""

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Literal, Protocol

from hamsa_async.testing.faults import FaultPlan
from hamsa_async.testing.ledger import Ledger
from hamsa_async.testing.webhooks import WebhookPlan

OnPost = Callable[[dict[str, Any]], Awaitable[None] | None]


class Settings(Protocol):
    """How a fake is to answer. `FakeHamsa` says what each is.

    They may change while it runs, so each is looked up when it is needed.
    """

    api_keys: tuple[str, ...]
    scheme: str
    project_id: str
    project_name: str
    agents: dict[str, dict[str, Any]] | None
    agent_shape: Literal["newer", "older"]
    latency: tuple[float, float]
    call_seconds: tuple[float, float]
    outcomes: Mapping[str, float]
    scripts: Mapping[str, Sequence[tuple[float, str]]]
    outcome_lag: float
    capacity: int | None
    rate_limit: float | None
    retry_after: str | None
    list_lag: float | Mapping[str, float]
    null_numbers: Container[str]
    echo_params: bool
    faults: FaultPlan
    on_post: OnPost | None
    webhooks: WebhookPlan
    seed: int | None


class Observed(Settings, Protocol):
    """A fake's settings, and the book that it keeps of what really happened."""

    ledger: Ledger
    in_flight: int
    max_in_flight: int
