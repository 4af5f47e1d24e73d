"""CPU per call of other vendors' SDKs, as installed from PyPI, against this client.

    nox -s bench_peers

Each places a call by its own SDK's async client: an equal request, and its vendor's own answer
of about the same size from the same server. Each is imported from a folder of its own, since
they do not agree on what they need:

    pip install --target peers/retell-sdk retell-sdk      (and so on)
    python tests/benchmarks/peers.py --peers peers
"""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import harness
from canned_answers import TWILIO_ACCOUNT
from ways import AGENT, Call, Goal, Row, Run, Way, Work, bare_aiohttp, pulled, this_client

FROM = "+14157774444"


@contextlib.asynccontextmanager
async def retell(work: Work) -> AsyncIterator[Call]:
    """Open Retell's client (Stainless, httpx)."""
    from retell import AsyncRetell

    async with AsyncRetell(api_key="key", base_url=work.base_url) as client:

        async def call(row: Row) -> str:
            placed = await client.call.create_phone_call(
                from_number=FROM,
                to_number=row["to_number"],
                override_agent_id=AGENT,
                retell_llm_dynamic_variables=row["params"],
                metadata={"reference": row["reference"]},
            )
            return placed.call_id

        yield call


@contextlib.asynccontextmanager
async def vapi(work: Work) -> AsyncIterator[Call]:
    """Open Vapi's client (Fern, httpx)."""
    from vapi import AsyncVapi
    from vapi.types import AssistantOverrides, CreateCustomerDto

    client = AsyncVapi(token="key", base_url=work.base_url)

    async def call(row: Row) -> str:
        placed = await client.calls.create(
            assistant_id=AGENT,
            phone_number_id=AGENT,
            customer=CreateCustomerDto(number=row["to_number"]),
            assistant_overrides=AssistantOverrides(
                variable_values={**row["params"], "reference": row["reference"]}
            ),
        )
        return placed.id

    yield call


@contextlib.asynccontextmanager
async def twilio(work: Work) -> AsyncIterator[Call]:
    """Open Twilio's client (aiohttp)."""
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    async with AsyncTwilioHttpClient() as http:
        client = Client(TWILIO_ACCOUNT, "token", http_client=http)
        client.api.base_url = work.base_url

        async def call(row: Row) -> str:
            placed = await client.calls.create_async(
                to=row["to_number"],
                from_=FROM,
                twiml=f"<Response><Say>{row['params']['note']}</Say></Response>",
                status_callback=f"https://example.com/calls?reference={row['reference']}",
                status_callback_event=["completed"],
            )
            return placed.sid

        yield call


@contextlib.asynccontextmanager
async def livekit(work: Work) -> AsyncIterator[Call]:
    """Open LiveKit's client (aiohttp, protobuf)."""
    from livekit import api

    async with api.LiveKitAPI(work.base_url, "key", "secret" * 8) as client:

        async def call(row: Row) -> str:
            placed = await client.sip.create_sip_participant(
                api.CreateSIPParticipantRequest(
                    sip_trunk_id="ST_s9T7XdWz3pTq",
                    sip_call_to=row["to_number"],
                    sip_number=FROM,
                    room_name="clinic-reminders",
                    participant_identity=row["reference"],
                    participant_metadata=json.dumps(row["params"]),
                )
            )
            return placed.sip_call_id

        yield call


def ways(folder: Path | None) -> list[Way]:
    """Give the ways; every one is divided by this client."""

    def peer(name: str, run: Run, *, least: float, share: float = 1.0) -> Way:
        return Way(
            name=name,
            run=run,
            against="client",
            goals=[Goal(against="client", bound=least, at_least=True)],
            path=None if folder is None else folder / name,
            share=share,
        )

    return [
        Way(name="client", run=pulled(this_client), against="client"),
        Way(name="bare aiohttp", run=pulled(bare_aiohttp), against="client"),
        peer("twilio", pulled(twilio), least=1.25),
        peer("livekit-api", pulled(livekit), least=1.25),
        peer("retell-sdk", pulled(retell), least=13, share=0.1),
        peer("vapi_server_sdk", pulled(vapi), least=30, share=0.05),
    ]


def main() -> None:
    """Measure and print."""
    parser = harness.parser_for(__doc__, calls=1000, blocks=5, in_flight=[64])
    parser.add_argument("--peers", type=Path, help="the folder of folders; else what is installed")
    options = parser.parse_args()
    harness.run(__file__, ways(options.peers), options, "aiohttp", "orjson")


if __name__ == "__main__":
    main()
