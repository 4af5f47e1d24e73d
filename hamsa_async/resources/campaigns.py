"""`client.campaigns`: Hamsa's own batches of calls, which its servers dial.

Not the campaigns of `hamsa_async.dialer`: no journal of ours stands behind these, and the API
has no route to pause or to cancel one (the dashboard does).
"""

from collections.abc import Sequence
from typing import Annotated, Any, Required, Unpack

from hamsa_async._answers import pages_of, reads, writes
from hamsa_async._operations import CAMPAIGN, CAMPAIGNS, CREATE_CAMPAIGN
from hamsa_async._paging import Pages
from hamsa_async._requests import build
from hamsa_async._sender import Sender
from hamsa_async._writing import write
from hamsa_async.errors import ConfigurationError
from hamsa_async.models.campaigns import (
    CampaignOptions,
    RecipientFields,
    ServerCampaign,
    ServerCampaignDetail,
    ServerCampaignSummary,
)
from hamsa_async.models.rules import E164, Length
from hamsa_async.options import RequestOptions, split_options
from hamsa_async.resources.lists import by_query

_read_page = pages_of(ServerCampaignSummary, "campaigns")
_E164 = E164()


class _NewCampaign(CampaignOptions, total=False):
    name: Required[Annotated[str, Length(1, 100)]]
    phone_number: Required[Annotated[str, E164()]]
    voice_agent_id: Required[Annotated[str, Length(1)]]
    recipients: Required[Annotated[Sequence[RecipientFields], Length(1)]]


class CampaignArguments(CampaignOptions, RequestOptions, total=False):
    """What `campaigns.create` takes besides its own arguments."""


class Campaigns:
    """Batches that Hamsa dials. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(
        self,
        *,
        name: str,
        phone_number: str,
        voice_agent_id: str,
        recipients: Sequence[RecipientFields],
        **options: Unpack[CampaignArguments],
    ) -> ServerCampaign:
        """Create a batch. It rings everybody in it, and is never sent twice.

        Args:
            name: 1 to 100 characters.
            phone_number: The caller number, E.164; registered with Hamsa.
            voice_agent_id: Who talks.
            recipients: Who is called, one at least. Numbers are E.164, but for those with
                `ignore_e164_validation`.
            options: When and how; see `CampaignOptions`, and `RequestOptions`.

        Raises:
            ConfigurationError: An argument is not valid. Nothing was sent.
            OutcomeUnknownError: The batch may exist and may be ringing people: look for its
                name in `list` before you create it again.
            HamsaError: `certainty` says what was proven.

        Source: `POST /v1/voice-agents/campaigns`.
        """
        fields, how = split_options(options)
        given = {
            "name": name,
            "phone_number": phone_number,
            "voice_agent_id": voice_agent_id,
            "recipients": recipients,
            **fields,
        }
        body = write(_NewCampaign, given, what="campaigns.create")
        _check_numbers(body["recipients"])
        return await self._sender.send(
            build(CREATE_CAMPAIGN, body=body), writes(ServerCampaign), options=how
        )

    def list(
        self,
        *,
        voice_agent_id: str | None = None,
        search: str | None = None,
        page_size: int = 10,
        **options: Unpack[RequestOptions],
    ) -> Pages[ServerCampaignSummary]:
        """List batches.

        Args:
            voice_agent_id: Only this agent's.
            search: Only those that have this in their name.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            options: See `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `GET /v1/voice-agents/campaigns`.
        """
        return by_query(
            self._sender,
            CAMPAIGNS,
            _read_page,
            page_size=page_size,
            query={"voiceAgentId": voice_agent_id, "search": search},
            options=options,
        )

    async def get(
        self, campaign_id: str, **options: Unpack[RequestOptions]
    ) -> ServerCampaignDetail:
        """Read a batch with everybody in it.

        Args:
            campaign_id: Its id.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such batch in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/voice-agents/campaigns/{id}`.
        """
        return await self._sender.send(
            build(CAMPAIGN, id=campaign_id), reads(ServerCampaignDetail), options=options
        )


def _check_numbers(recipients: Sequence[dict[str, Any]]) -> None:
    for index, recipient in enumerate(recipients):
        if recipient.get("ignoreE164Validation"):
            continue
        try:
            _E164.check(f"recipients[{index}].phone_number", recipient["phoneNumber"])
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
