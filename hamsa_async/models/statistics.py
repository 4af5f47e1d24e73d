"""Figures: what was used, and how agents do.

Sources: docs.tryhamsa.com/api-reference/endpoint/statistics-numbers, get-overview-analytics.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hamsa_async._values import frozen
from hamsa_async.models._declaring import Value, extra


@frozen(kw_only=True, eq=False, repr=False)
class Quantity(Value, shows=("value", "unit")):
    """So much of something."""

    value: float | str | None = None
    """A text for some quantities."""

    unit: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class StatisticsNumbers(Value, shows=("price", "requests")):
    """What was used within a span of time."""

    tokens: Quantity | None = None
    transcription: Quantity | None = None
    price: Quantity | None = None
    requests: Quantity | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class StatisticsPoint(Value, shows=("date", "value", "unit")):
    """So much of something at one time."""

    date: datetime | None = None
    value: float | None = None
    unit: str | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class StatisticsChart(Value, shows=()):
    """What was used, over time."""

    cost: Sequence[StatisticsPoint] | None = None
    requests: Sequence[StatisticsPoint] | None = None
    transcription: Sequence[StatisticsPoint] | None = None
    tokens: Sequence[StatisticsPoint] | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class CallsInBucket(Value, shows=("time_bucket", "count")):
    """How many calls there were at one time."""

    time_bucket: str | None = None
    """`YYYY-MM-DD HH:MM:SS` in the zone that `time_difference` asked for."""

    count: str | float | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class CallsByDuration(
    Value,
    shows=(
        "short_duration_bucket_calls",
        "medium_duration_bucket_calls",
        "long_duration_bucket_calls",
    ),
):
    """How many calls were short, medium and long; the bounds are not documented."""

    short_duration_bucket_calls: float | None = None
    medium_duration_bucket_calls: float | None = None
    long_duration_bucket_calls: float | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class OverviewAnalytics(Value, shows=("live_sessions_number", "total_sessions_number")):
    """How much agents talk."""

    live_sessions_number: float | None = None
    """Calls in progress now: the only such figure that the API gives."""

    total_sessions_number: float | None = None
    average_session_duration: float | None = None
    average_messages_per_session: float | None = None
    total_session_duration: float | None = None
    average_words_per_ai_response: float | None = None
    forward_to_human_agent: float | None = None
    calls_over_time: Sequence[CallsInBucket] | None = None
    calls_by_duration_buckets: CallsByDuration | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class PerformanceAnalytics(Value, shows=("latency", "sessions_have_errors_percentage")):
    """How fast agents answer. Times in milliseconds, going by the dashboard's help page."""

    avg_asr_processing_time: float | None = None
    avg_llm_response_time: float | None = None
    avg_tts_generation_time: float | None = None
    latency: float | None = None
    sessions_have_errors_percentage: float | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class SentimentDistribution(Value, shows=("positive", "neutral", "negative")):
    """How people felt."""

    positive: float | None = None
    neutral: float | None = None
    negative: float | None = None
    extra: Mapping[str, Any] = extra()


@frozen(kw_only=True, eq=False, repr=False)
class SatisfactionAnalytics(Value, shows=("nps_score", "csat_score")):
    """How content people are."""

    nps_score: float | None = None
    sentiment_distribution: SentimentDistribution | None = None
    csat_score: float | None = None
    first_call_resolution_percentage: float | None = None
    escalation_rate: float | None = None
    extra: Mapping[str, Any] = extra()
