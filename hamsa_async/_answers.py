"""Answers of any operation: JSON to values, or the path of what is wrong with it."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from hamsa_async._converter import structure
from hamsa_async._wire import decode, misshapen, server_date, unwrap
from hamsa_async.errors import ResponseSchemaError
from hamsa_async.models.conversations import ExportFile, ExportTicket
from hamsa_async.models.jobs import Job
from hamsa_async.models.knowledge_base import KnowledgeBaseItem
from hamsa_async.models.pages import Page
from hamsa_async.options import Answer

T = TypeVar("T")

Parse = Callable[[Answer], T]


def reads(kind: type[T]) -> Parse[T]:
    """Make a reader of one value in `data`."""

    def parse(answer: Answer) -> T:
        return structure(unwrap(answer), kind, at="$.data")

    return parse


def writes(kind: type[T]) -> Parse[T]:
    """Make a reader of what a write made.

    It was made, whatever its description looks like: a field of the wrong shape is kept in
    `extra` and does not cost the id.
    """

    def parse(answer: Answer) -> T:
        return _made(answer, unwrap(answer), kind, at="$.data")

    return parse


def _made(answer: Answer, data: Any, kind: type[T], *, at: str) -> T:
    with contextlib.suppress(ResponseSchemaError):
        return structure(data, kind, at=at)
    if not isinstance(data, Mapping):
        misshapen(answer, f"expected an object @ {at}")
    rest = {name: value for name, value in data.items() if name != "id"}
    made = structure({name: data[name] for name in data.keys() - rest}, kind, at=at)
    return attrs.evolve(made, extra=rest)  # type: ignore[misc]


def pages_of(kind: type[T], rows: str | None) -> Callable[[Answer, int, int], Page[T]]:
    """Make a reader of one page.

    Args:
        kind: What a row is.
        rows: Under which name of `data` the rows are; `None` where `data` is the list itself.
    """

    def parse(answer: Answer, number: int, size: int) -> Page[T]:
        data = unwrap(answer)
        about: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        found = about.get(rows) if rows is not None else data
        at = "$.data" if rows is None else f"$.data.{rows}"
        if not isinstance(found, Sequence) or isinstance(found, str):
            misshapen(answer, f"expected a list @ {at}")
        return Page(
            items=tuple(
                structure(row, kind, at=f"{at}[{index}]") for index, row in enumerate(found)
            ),
            number=number,
            size=size,
            total=_count(about.get("total", about.get("totalCount"))),
            filtered=_count(about.get("filtered", about.get("returnedCount"))),
            at=server_date(answer.headers),
        )

    return parse


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_job(answer: Answer) -> Job:
    """Read a job, and the preview's URL that stands beside it.

    Raises:
        ResponseSchemaError: It is no job.
    """
    job = reads(Job)(answer)
    preview = decode(answer.body).get("previewUrl")
    return attrs.evolve(job, preview_url=preview) if preview is not None else job


def read_export(answer: Answer) -> ExportFile | ExportTicket:
    """Read an export: a file where it is one, else where to ask for it.

    Raises:
        ResponseSchemaError: It is JSON and no ticket, a web page, or empty.
    """
    content_type = answer.headers.get("Content-Type", "")
    if "json" in content_type:
        return reads(ExportTicket)(answer)
    if "html" in content_type:
        misshapen(answer, "expected a file, got a web page @ $")
    if not answer.body:
        misshapen(answer, "expected a file, got nothing @ $")
    return ExportFile(content=answer.body, content_type=content_type)


def read_made_items(answer: Answer) -> Sequence[KnowledgeBaseItem]:
    """Read the items that were added: the page shows one, though several may be asked for.

    Raises:
        ResponseSchemaError: It is neither an item nor a list of items.
    """
    data = unwrap(answer)
    if not isinstance(data, Sequence) or isinstance(data, str):
        return (writes(KnowledgeBaseItem)(answer),)
    return tuple(
        _made(answer, item, KnowledgeBaseItem, at=f"$.data[{index}]")
        for index, item in enumerate(data)
    )


def read_text(answer: Answer) -> str:
    """Read a text in `data`.

    Raises:
        ResponseSchemaError: It is none.
    """
    data = unwrap(answer)
    if not isinstance(data, str):
        misshapen(answer, "expected a text @ $.data")
    return data


def read_nothing(answer: Answer) -> None:
    """Read the answer of a route that has no `data`.

    Elsewhere `data` says more than `success`, which the reference's examples print as `false`
    on a 200; here nothing else says that it was done.

    Raises:
        ResponseSchemaError: It is not the API that answered (no JSON object), or it says that
            it has failed.
    """
    envelope: Any = None
    with contextlib.suppress(ValueError):
        envelope = decode(answer.body)
    if not isinstance(envelope, Mapping):
        misshapen(answer, "expected an object @ $")
    if envelope.get("success") is False and envelope.get("data") is None:
        misshapen(answer, "it has failed, it says @ $.success")
