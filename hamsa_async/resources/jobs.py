"""`client.jobs`: what Hamsa works on, calls among it."""

from typing import Unpack

from hamsa_async._answers import pages_of, read_job
from hamsa_async._operations import JOB, JOBS
from hamsa_async._paging import Pages
from hamsa_async._requests import build, needed
from hamsa_async._sender import Sender
from hamsa_async._writing import write
from hamsa_async.models.jobs import Job, JobFilter, JobSummary
from hamsa_async.options import RequestOptions, split_options
from hamsa_async.resources.lists import by_body

_read_page = pages_of(JobSummary, "jobs")


class JobArguments(JobFilter, RequestOptions, total=False):
    """What `jobs.list` takes besides its own arguments."""


class Jobs:
    """Reads about jobs. Made by `HamsaClient`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get(
        self, job_id: str, *, speaker: str | None = None, **options: Unpack[RequestOptions]
    ) -> Job:
        """Read one job. A call's has the call's id; `conversations.get` tells more of it.

        Args:
            job_id: Its id.
            speaker: As the API has it; its page does not say what it does.
            options: See `RequestOptions`.

        Raises:
            NotFoundError: There is no such job in this project.
            HamsaError: Nothing was learnt; a read may always be tried again.

        Source: `GET /v1/jobs`.
        """
        return await self._sender.send(
            build(JOB, query={"jobId": needed(job_id, "job_id"), "speaker": speaker}),
            read_job,
            options=options,
        )

    def list(
        self, *, project_id: str, page_size: int = 10, **wanted: Unpack[JobArguments]
    ) -> Pages[JobSummary]:
        """List jobs. Calls cannot be asked for by type; `conversations.list` has them.

        Args:
            project_id: The project of the key.
            page_size: Rows a page, 1 or more. No upper limit is documented.
            wanted: See `JobFilter`, and `RequestOptions`.

        Returns:
            Await it for the first page, or iterate over all rows. See `Pages`.

        Raises:
            ConfigurationError: An argument cannot be asked for. Nothing was sent.

        Source: `POST /v1/jobs/all`, which only reads.
        """
        fields, options = split_options(wanted)
        return by_body(
            self._sender,
            JOBS,
            _read_page,
            page_size=page_size,
            query={"projectId": needed(project_id, "project_id")},
            body=write(JobFilter, fields, what="jobs.list"),
            options=options,
        )
