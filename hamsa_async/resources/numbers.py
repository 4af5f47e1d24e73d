"""`client.numbers`: the numbers that calls are placed from."""

from typing import Annotated, Any, TypedDict, Unpack

from hamsa_async._answers import pages_of, read_text, reads, writes
from hamsa_async._operations import (
    ADD_NUMBER,
    ASSIGN_NUMBER,
    NUMBER,
    NUMBERS,
    UNASSIGN_NUMBER,
)
from hamsa_async._paging import Pages
from hamsa_async._requests import build, needed
from hamsa_async._sender import Sender
from hamsa_async._writing import write
from hamsa_async.models.numbers import NumberType, PhoneNumber, SipOutboundFields
from hamsa_async.models.rules import E164, Length
from hamsa_async.options import RequestOptions
from hamsa_async.resources.lists import by_query

_read_page = pages_of(PhoneNumber, None)

_Number = Annotated[str, E164()]
_Text = Annotated[str, Length(1)]


class _TwilioNumber(TypedDict):
    phone_number: _Number
    label: _Text
    twilio_account_sid: _Text
    twilio_auth_token: _Text


class _SipNumber(TypedDict, total=False):
    phone_number: _Number
    label: _Text
    sip_outbound_configs: SipOutboundFields


class _Assignment(TypedDict, total=False):
    voice_agent_id: _Text
    phone_number: _Number


class Numbers:
    """Numbers and whose they are. Made by `HamsaClient`.

    Its writes follow the retry table's column for writes: what may have been done is never sent
    again, and raises `OutcomeUnknownError`. `list` says whether it was.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        provider: NumberType | str | None = None,
        page_size: int = 10,
        **options: Unpack[RequestOptions],
    ) -> Pages[PhoneNumber]:
        """List the project's numbers. The API gives no totals.

        Args:
            voice_agent_id: Only this agent's.
            provider: Only those that it carries.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/phone-number/list`.
        """
        return by_query(
            self._sender,
            NUMBERS,
            _read_page,
            page_size=page_size,
            query={"voiceAgentId": voice_agent_id, "provider": provider},
            options=options,
        )

    async def get(self, pid: str, **options: Unpack[RequestOptions]) -> PhoneNumber:
        """Read one number.

        Args:
            pid: Its id.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such number in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/phone-number`.
        """
        return await self._sender.send(
            build(NUMBER, query={"pid": needed(pid, "pid")}), reads(PhoneNumber), options=options
        )

    async def add_twilio(
        self,
        *,
        phone_number: str,
        label: str,
        twilio_account_sid: str,
        twilio_auth_token: str,
        **options: Unpack[RequestOptions],
    ) -> PhoneNumber:
        """Register a number that Twilio carries.

        Args:
            phone_number: E.164.
            label: What to call it.
            twilio_account_sid: The account it is in.
            twilio_auth_token: That account's secret.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may have been registered.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/phone-number`.
        """
        given = {
            "phone_number": phone_number,
            "label": label,
            "twilio_account_sid": twilio_account_sid,
            "twilio_auth_token": twilio_auth_token,
        }
        return await self._add(NumberType.TWILIO, _TwilioNumber, given, options)

    async def add_sip(
        self,
        *,
        phone_number: str,
        label: str,
        sip_outbound_configs: SipOutboundFields | None = None,
        **options: Unpack[RequestOptions],
    ) -> PhoneNumber:
        """Register a number of a SIP trunk. Which fields the API wants here is inferred.

        Args:
            phone_number: E.164.
            label: What to call it.
            sip_outbound_configs: Where its calls are sent to.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may have been registered.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/phone-number`.
        """
        given: dict[str, Any] = {"phone_number": phone_number, "label": label}
        if sip_outbound_configs is not None:
            given["sip_outbound_configs"] = sip_outbound_configs
        return await self._add(NumberType.SIP, _SipNumber, given, options)

    async def assign(
        self, *, voice_agent_id: str, phone_number: str, **options: Unpack[RequestOptions]
    ) -> PhoneNumber:
        """Give a number to an agent; a number belongs to one at a time.

        Args:
            voice_agent_id: Whose it becomes.
            phone_number: E.164.
            options: See `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may have been done. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/assign-number`.
        """
        given = {"voice_agent_id": voice_agent_id, "phone_number": phone_number}
        body = write(_Assignment, given, what="numbers.assign")
        return await self._sender.send(
            build(ASSIGN_NUMBER, body=body), writes(PhoneNumber), options=options
        )

    async def unassign(self, *, phone_number: str, **options: Unpack[RequestOptions]) -> str:
        """Take a number from its agent.

        Args:
            phone_number: E.164.
            options: See `RequestOptions`.

        Returns:
            What the API says about it, for people.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: It may have been done. Doing it again does no harm.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/unassign`.
        """
        body = write(_Assignment, {"phone_number": phone_number}, what="numbers.unassign")
        return await self._sender.send(
            build(UNASSIGN_NUMBER, body=body), read_text, options=options
        )

    async def _add(
        self, carrier: NumberType, kind: type, given: dict[str, Any], options: RequestOptions
    ) -> PhoneNumber:
        body = {"type": carrier.value, **write(kind, given, what="numbers.add")}
        return await self._sender.send(
            build(ADD_NUMBER, body=body), writes(PhoneNumber), options=options
        )
