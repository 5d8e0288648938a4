"""The API's calls about jobs, files and the user. A call decides nothing that a page does not.

Docstrings of calls are their descriptions in the OpenAPI document; `operation_id` is public, too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import get_script_prefix
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from ninja import Header, Query, Router
from ninja.errors import ValidationError

from jobs.api import job_json
from jobs.api.asking import CHANGES, ERRORS, EVERYWHERE, parsed_id, user_of
from jobs.api.schemas import (
    ErrorBody,
    JobIn,
    JobList,
    JobOut,
    MeOut,
    QuotaOut,
    SubmitErrorBody,
    UsageOut,
    UserOut,
)
from jobs.api.waiting import MAX_WAIT_S, wait_until_settled
from jobs.files import lifetime, serving
from jobs.models import Job
from jobs.queries import fingerprint, lists
from jobs.queries.fingerprint import Fingerprint
from jobs.queries.job_view import ItemView, Snapshot
from jobs.queries.kept import KeptAnswers
from jobs.queries.snapshot import load_snapshot, load_snapshots
from jobs.queue import actions, erasure, idempotency, quotas, submission
from jobs.states import ItemState
from jobs.zips import packing

JOBS_PER_PAGE: Final = 20
MAX_JOBS_PER_PAGE: Final = 50
_KEPT_BYTES: Final = 8 * 1024 * 1024
"""Of the answers to polls that this process keeps, and of lines in them: some thirty jobs of twenty
lines."""

router = Router()
_kept: Final = KeptAnswers(_KEPT_BYTES)


def _owned_job(request: HttpRequest, job_id: str) -> Job:
    job = Job.objects.visible_to(user_of(request)).filter(pk=parsed_id(job_id)).first()
    if job is None:
        raise Http404
    return job


def _snapshot(request: HttpRequest, job_id: UUID) -> Snapshot:
    snapshot = load_snapshot(job_id, user_of(request))
    if snapshot is None:
        raise Http404
    return snapshot


def _json(body: bytes, status: int = 200) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")


def _job_response(snapshot: Snapshot, status: int = 200) -> HttpResponse:
    response = _json(job_json.encoded_job(snapshot), status)
    response.headers["ETag"] = snapshot.etag
    return response


def _job_body(job_id: UUID, user: User, taken: Fingerprint) -> bytes:
    """A job's JSON: the one kept of this fingerprint, else made now. Raises Http404."""
    reader = (user.pk, get_language(), get_script_prefix())
    body = _kept.get((reader, job_id), taken.revision)
    if body is None:
        snapshot = load_snapshot(job_id, user, fingerprint=taken)
        if snapshot is None:
            raise Http404
        body = job_json.encoded_job(snapshot, partial(_line_text, reader, taken))
        if not any(map(job_json.counts_down, snapshot.items)):
            _kept.put((reader, job_id), taken.revision, body)
    return body


def _line_text(
    reader: Hashable, taken: Fingerprint, item: ItemView, make: Callable[[], bytes]
) -> bytes:
    """A line's JSON: the one kept of this fingerprint, else made now."""
    digest = taken.lines.get(item.id)
    if digest is None or item.state == ItemState.RUNNING or job_json.counts_down(item):
        return make()  # it would not be asked for again
    text = _kept.get((reader, item.id), digest)
    if text is None:
        text = make()
        _kept.put((reader, item.id), digest, text)
    return text


# --- jobs ---------------------------------------------------------------------------------------


@router.post(
    "/jobs",
    response={
        202: JobOut,
        409: ErrorBody,
        413: ErrorBody,
        507: ErrorBody,
        **CHANGES,
        422: SubmitErrorBody,
    },
    tags=["Jobs"],
    operation_id="jobs_api_submit",
    summary="Save names and links",
)
def submit(
    request: HttpRequest,
    body: JobIn,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            max_length=idempotency.KEY_LENGTH,
            description="Sent twice, it makes one job. With another request it is refused (422), "
            "and while the first request is still being taken as well (409).",
        ),
    ] = None,
    wait: Annotated[
        int, Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the job to settle.")
    ] = 0,
) -> HttpResponse:
    """Make a job of names and links. Answers at once, or as soon as it settled when asked to wait.

    Waiting is a courtesy: when too many wait already, the answer comes at once.
    """
    try:
        job = submission.submit(
            user_of(request),
            body.all_lines(),
            note=body.note,
            options=body.options.options(),
            idempotency_key=idempotency_key or None,
            refuse_double=True,
        )
    except submission.UnusablePaste as error:
        error.field = "lines" if body.text is None else "text"
        raise
    if wait:
        wait_until_settled(job, wait)
    response = _job_response(_snapshot(request, job.pk), 202)
    response.headers["Location"] = f"{request.path.rstrip('/')}/{job.pk}"
    return response


@router.get(
    "/jobs",
    response={200: JobList, **ERRORS},
    tags=["Jobs"],
    operation_id="jobs_api_mine",
    url_name="mine",
    summary="List my jobs",
)
def list_jobs(
    request: HttpRequest,
    state: Annotated[ItemState | None, Query(description="Only jobs in this state.")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_JOBS_PER_PAGE)] = JOBS_PER_PAGE,
) -> HttpResponse:
    """My jobs, newest first."""
    user = user_of(request)
    jobs: QuerySet[Job] = Job.objects.visible_to(user)
    if state:
        jobs = lists.in_state(jobs, state)
    try:
        ids, next_cursor = lists.page_of(jobs, after=cursor, limit=limit)
    except ValueError as error:
        raise ValidationError([{"loc": ("query", "cursor"), "msg": str(error)}]) from error
    snapshots = load_snapshots(ids, user)
    return _json(job_json.encoded_list(snapshots, next_cursor))


@router.get(
    "/jobs/{job_id}",
    response={200: JobOut, 304: None, 412: ErrorBody, **ERRORS},
    tags=["Jobs"],
    operation_id="jobs_api_job",
    url_name="job",
    summary="Look at one job",
)
def get_job(request: HttpRequest, job_id: str) -> HttpResponse:
    """One job. Send the last `ETag` as `If-None-Match`: 304 while nothing changed."""
    user, key = user_of(request), parsed_id(job_id)
    taken = fingerprint.take(key, user)
    if taken is None:
        raise Http404
    response: HttpResponse | None = get_conditional_response(request, etag=taken.etag)
    if response is None:
        response = _json(_job_body(key, user, taken))
    response.headers["ETag"] = taken.etag
    return response


@router.post(
    "/jobs/{job_id}/cancel",
    response={200: JobOut, **CHANGES},
    tags=["Jobs"],
    operation_id="jobs_api_cancel",
    summary="Cancel a job",
)
def cancel(request: HttpRequest, job_id: str) -> HttpResponse:
    """Stop what is open; what was saved stays. A job that has settled is returned as it is."""
    job = _owned_job(request, job_id)
    actions.cancel(job)
    return _job_response(_snapshot(request, job.pk))


@router.post(
    "/jobs/{job_id}/retry",
    response={202: JobOut, **CHANGES},
    tags=["Jobs"],
    operation_id="jobs_api_retry",
    summary="Retry what failed",
)
def retry(request: HttpRequest, job_id: str) -> HttpResponse:
    """A fresh attempt of what failed and may work now."""
    job = _owned_job(request, job_id)
    actions.retry(job)
    return _job_response(_snapshot(request, job.pk), 202)


@router.post(
    "/jobs/{job_id}/extend",
    response={200: JobOut, **CHANGES},
    tags=["Jobs"],
    operation_id="jobs_api_extend",
    summary="Keep the files longer",
)
def extend(request: HttpRequest, job_id: str) -> HttpResponse:
    """Keep the files for one more lifetime than they have left, within the instance's maximum."""
    job = _owned_job(request, job_id)
    lifetime.extend(job)
    return _job_response(_snapshot(request, job.pk))


@router.post(
    "/jobs/{job_id}/bundle",
    response={200: JobOut, 202: JobOut, 409: ErrorBody, 507: ErrorBody, **CHANGES},
    tags=["Jobs"],
    operation_id="jobs_api_bundle",
    summary="Pack everything into one ZIP",
)
def bundle(request: HttpRequest, job_id: str) -> HttpResponse:
    """Have all files packed into one ZIP. 200 when it is there, 202 while it is being packed."""
    job = _owned_job(request, job_id)
    packing.request(job)
    snapshot = _snapshot(request, job.pk)
    return _job_response(snapshot, 200 if snapshot.bundle else 202)


@router.delete(
    "/jobs/{job_id}",
    response={204: None, **CHANGES},
    tags=["Jobs"],
    operation_id="jobs_api_forget",
    summary="Forget a job",
)
def forget(request: HttpRequest, job_id: str) -> HttpResponse:
    """Cancel the job and remove its rows, files and progress, at once."""
    erasure.erase(_owned_job(request, job_id))
    return HttpResponse(status=204)


# --- files --------------------------------------------------------------------------------------


@router.api_operation(
    ["GET", "HEAD"],
    "/files/{file_id}",
    url_name="file",
    operation_id="jobs_api_file",
    tags=["Files"],
    summary="Get a file",
    response={
        200: None,
        206: None,
        304: None,
        410: ErrorBody,
        412: ErrorBody,
        416: ErrorBody,
        **ERRORS,
    },
)
def file(
    request: HttpRequest,
    file_id: str,
    inline: Annotated[bool, Query(description="For viewing instead of saving.")] = False,
) -> HttpResponseBase:
    """A file's bytes. Ranges, `HEAD` and `If-None-Match` work; 410 once it has been deleted, or
    when the disk has not kept it whole.
    """
    return serving.file_response(request, user_of(request), parsed_id(file_id), inline=inline)


# --- me -----------------------------------------------------------------------------------------


@router.get(
    "/me",
    response={200: MeOut, **EVERYWHERE},
    tags=["Me"],
    operation_id="jobs_api_me",
    summary="Who I am, what I may use and do use",
)
def me(request: HttpRequest) -> HttpResponse:
    """Who the token belongs to, their limits, and what they use of them."""
    user = user_of(request)
    usage = quotas.usage(user)
    out = MeOut(
        user=UserOut(name=user.get_username()),
        quota=QuotaOut(
            active_items=usage.active_items.limit,
            items_per_day=usage.items_per_day.limit,
            stored_bytes=usage.stored_bytes.limit,
        ),
        usage=UsageOut(
            active_items=usage.active_items.used,
            items_per_day=usage.items_per_day.used,
            stored_bytes=usage.stored_bytes.used,
        ),
    )
    # Serialized by pydantic at once: the framework would validate the object a second time.
    return _json(out.model_dump_json().encode())
