"""What a type checker knows of spans: checked by mypy and pyright, never run."""

from typing import assert_type

from opentelemetry.sdk.trace import TracerProvider

from hamsa_async import Event, HamsaClient, Hook
from hamsa_async.otel import OpenTelemetryHook


def observe(event: Event) -> None:
    hook: Hook = OpenTelemetryHook()
    assert_type(hook(event), None)
    HamsaClient(hooks=[hook, OpenTelemetryHook(tracer_provider=TracerProvider())])
