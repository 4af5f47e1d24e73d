"""What comes in and goes out: keys, bodies, refusals and the envelope of a success."""

import json
from collections.abc import Container
from typing import Any

from aiohttp import web

from hamsa_async.testing.connections import Connection
from hamsa_async.testing.faults import Answer


class RefusedError(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class ClientGoneError(Exception):
    """The client went before its body was here."""


def refuse(status: int, message: str | None = None) -> RefusedError:
    """A refusal, worded as the contract words it unless a message is given."""
    return RefusedError(Answer.error(status, message))


def success(data: object) -> Answer:
    """Data in the envelope of an answer that went well."""
    return Answer.of({"success": True, "message": "success", "data": data})


def authorise(request: web.BaseRequest, *, scheme: str, keys: Container[str]) -> None:
    """Refuse a request without a key that is accepted. `Bearer` goes for any scheme."""
    given, _, key = request.headers.get("Authorization", "").partition(" ")
    known = given.lower() in (scheme.lower(), "bearer")
    if not known or key.strip() not in keys:
        raise refuse(401)


async def raw_body(request: web.BaseRequest) -> bytes:
    """The body of a request, all of it."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise refuse(413) from error
    except (OSError, web.RequestPayloadError) as error:
        raise ClientGoneError from error


async def json_object(request: web.BaseRequest, connection: Connection) -> dict[str, Any]:
    """The body of a request as a JSON object, asked for where the client waits to be asked."""
    expects = request.headers.get("Expect", "").lower() == "100-continue"
    if expects and connection.transport is not None:
        connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        body = json.loads(await raw_body(request))
    except ValueError as error:
        raise refuse(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise refuse(400, "the body must be a JSON object")
    return body
