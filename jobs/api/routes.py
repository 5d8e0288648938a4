"""The API's calls about jobs and files; each does what the page's button of that name does."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from ninja import Header, Query, Router
from ninja.errors import ValidationError

from jobs.api.schemas import ErrorBody, JobIn, JobList, JobOut, MeOut, QuotaOut, UsageOut, UserOut
from jobs.files import serving
from jobs.housekeeping import sweep
from jobs.models import Item, Job
from jobs.queries import lists, snapshot
from jobs.queries.job_view import Snapshot
from jobs.queue import quotas, settling, submission
from jobs.states import ItemState
from jobs.zips import packing

LONGEST_WAIT_S: Final = 30
STEPS_S: Final = (0.5, 0.5, 1.0, 1.0, 2.0)
"""How long to sleep between looks while waiting; the last one repeats."""
PAGE: Final = 20
LONGEST_PAGE: Final = 50
KEY_LENGTH: Final = 200

ERRORS: Final = dict.fromkeys((401, 404, 422, 429, 500), ErrorBody)
CHANGES: Final = {403: ErrorBody, 411: ErrorBody, **ERRORS}
"""Of calls that a token for reading is not good for."""
_sleep = time.sleep

router = Router()


def _user(request: HttpRequest) -> User:
    if isinstance(request.user, AnonymousUser):  # the API's authentication puts a user there
        raise Http404
    return request.user


def _uuid(text: str) -> UUID:
    """What is no id, as we write them, is nobody's: the same 404 as an unknown one."""
    try:
        found = UUID(text)
    except ValueError:
        raise Http404 from None
    if str(found) != text.lower():
        raise Http404
    return found


def _job(request: HttpRequest, job_id: str) -> Job:
    found = Job.objects.visible_to(_user(request)).filter(pk=_uuid(job_id)).first()
    if found is None:
        raise Http404
    return found


def _seen(request: HttpRequest, job_id: UUID) -> Snapshot:
    found = snapshot.load(job_id, _user(request))
    if found is None:
        raise Http404
    return found


def _json(out: JobOut | JobList | MeOut, status: int = 200) -> HttpResponse:
    # Written by pydantic at once; the framework would check what we just built a second time.
    return HttpResponse(out.model_dump_json(), status=status, content_type="application/json")


def _answer(request: HttpRequest, job_id: UUID, status: int = 200) -> HttpResponse:
    seen = _seen(request, job_id)
    response = _json(JobOut.of(seen), status)
    response.headers["ETag"] = seen.etag
    return response


# --- jobs ---------------------------------------------------------------------------------------


@router.post(
    "/jobs",
    response={202: JobOut, 413: ErrorBody, 507: ErrorBody, **CHANGES},
    tags=["Jobs"],
    summary="Save names and links",
)
def submit(
    request: HttpRequest,
    body: JobIn,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            max_length=KEY_LENGTH,
            description="Sent twice, it makes one job.",
        ),
    ] = None,
    wait: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the job to settle.")
    ] = 0,
) -> HttpResponse:
    """Make a job of names and links. Answers at once, or as soon as it settled when asked to wait.

    Waiting is a courtesy: when too many wait already, the answer comes at once.
    """
    try:
        job = submission.submit(
            _user(request),
            body.all_lines(),
            note=body.note,
            options=body.options.options(),
            idempotency_key=idempotency_key or None,
        )
    except submission.EmptySubmission as error:
        error.field = "lines" if body.text is None else "text"
        raise
    if wait:
        _wait(job, wait)
    response = _answer(request, job.pk, 202)
    response.headers["Location"] = f"{request.path.rstrip('/')}/{job.pk}"
    return response


class _Waiting:
    """How many requests of this process sleep at once, for each of them holds a thread: a third of
    the threads in all, and of one person at most a third of that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[object] = Counter()

    @contextmanager
    def place(self, owner_id: object) -> Iterator[bool]:
        """True when there was one."""
        most = max(1, settings.STORYKEEP.web_threads // 3)
        with self._lock:
            mine = max(1, most // 3)
            free = self._held.total() < most and self._held[owner_id] < mine
            self._held[owner_id] += free
        try:
            yield free
        finally:
            with self._lock:
                self._held[owner_id] -= free
                self._held += Counter()  # without those who hold none


_waiting = _Waiting()


def _wait(job: Job, seconds: int) -> None:
    """Until the job settled, or the time is over; one small query per look."""
    with _waiting.place(job.owner_id) as free:
        left = float(seconds) if free else 0.0
        steps = iter(STEPS_S)
        while left > 0 and Item.objects.open().filter(job_id=job.pk).exists():
            step = min(left, next(steps, STEPS_S[-1]))
            _sleep(step)
            left -= step


@router.get("/jobs", response={200: JobList, **ERRORS}, tags=["Jobs"], summary="List my jobs")
def mine(
    request: HttpRequest,
    state: Annotated[ItemState | None, Query(description="Only jobs in this state.")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = PAGE,
) -> HttpResponse:
    """My jobs, newest first."""
    user = _user(request)
    jobs: QuerySet[Job] = Job.objects.visible_to(user)
    if state:
        jobs = lists.in_state(jobs, state)
    try:
        ids, following = lists.page_of(jobs, after=cursor, limit=limit)
    except ValueError as error:
        raise ValidationError([{"loc": ("query", "cursor"), "msg": str(error)}]) from error
    seen = snapshot.load_many(ids, user)
    return _json(JobList(jobs=[JobOut.of(one) for one in seen], next=following))


@router.get(
    "/jobs/{job_id}",
    response={200: JobOut, 304: None, 412: ErrorBody, **ERRORS},
    tags=["Jobs"],
    summary="Look at one job",
)
def job(request: HttpRequest, job_id: str) -> HttpResponse:
    """One job. Send the last `ETag` as `If-None-Match`: 304 while nothing changed."""
    seen = _seen(request, _uuid(job_id))
    unchanged: HttpResponse | None = get_conditional_response(request, etag=seen.etag)
    response = unchanged if unchanged is not None else _json(JobOut.of(seen))
    response.headers["ETag"] = seen.etag
    return response


@router.post(
    "/jobs/{job_id}/cancel",
    response={200: JobOut, **CHANGES},
    tags=["Jobs"],
    summary="Cancel a job",
)
def cancel(request: HttpRequest, job_id: str) -> HttpResponse:
    """Stop what is open; what was saved stays."""
    found = _job(request, job_id)
    settling.cancel(found)
    return _answer(request, found.pk)


@router.post(
    "/jobs/{job_id}/retry",
    response={202: JobOut, **CHANGES},
    tags=["Jobs"],
    summary="Retry what failed",
)
def retry(request: HttpRequest, job_id: str) -> HttpResponse:
    """A fresh attempt of what failed and may work now."""
    found = _job(request, job_id)
    settling.retry(found)
    return _answer(request, found.pk, 202)


@router.post(
    "/jobs/{job_id}/extend",
    response={200: JobOut, **CHANGES},
    tags=["Jobs"],
    summary="Keep the files longer",
)
def extend(request: HttpRequest, job_id: str) -> HttpResponse:
    """Keep the files for one more lifetime than they have left, within the instance's maximum."""
    found = _job(request, job_id)
    sweep.extend(found)
    return _answer(request, found.pk)


@router.post(
    "/jobs/{job_id}/bundle",
    response={200: JobOut, 202: JobOut, 409: ErrorBody, **CHANGES},
    tags=["Jobs"],
    summary="Pack everything into one ZIP",
)
def bundle(request: HttpRequest, job_id: str) -> HttpResponse:
    """Have all files packed into one ZIP. 200 when it is there, 202 while it is being packed."""
    found = _job(request, job_id)
    packing.request(found)
    seen = _seen(request, found.pk)
    response = _json(JobOut.of(seen), 200 if seen.bundle else 202)
    response.headers["ETag"] = seen.etag
    return response


@router.delete(
    "/jobs/{job_id}", response={204: None, **CHANGES}, tags=["Jobs"], summary="Forget a job"
)
def forget(request: HttpRequest, job_id: str) -> HttpResponse:
    """Cancel the job and remove its rows, files and progress, at once."""
    sweep.forget(_job(request, job_id))
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
        416: ErrorBody,
        **ERRORS,
    },
)
def file(
    request: HttpRequest,
    file_id: str,
    inline: Annotated[bool, Query(description="For viewing instead of saving.")] = False,
) -> HttpResponseBase:
    """A file's bytes. Ranges, `HEAD` and `If-None-Match` work; 410 once it has been deleted."""
    return serving.respond(request, _user(request), _uuid(file_id), inline=inline)


# --- me -----------------------------------------------------------------------------------------


@router.get(
    "/me",
    response={200: MeOut, 401: ErrorBody, 429: ErrorBody, 500: ErrorBody},
    tags=["Me"],
    summary="Who I am, what I may use and do use",
)
def me(request: HttpRequest) -> HttpResponse:
    """Who the token belongs to, their limits, and what they use of them."""
    user = _user(request)
    seen = quotas.usage(user)
    out = MeOut(
        user=UserOut(name=user.get_username()),
        quota=QuotaOut(
            active_items=seen.active_items.limit,
            items_per_day=seen.items_per_day.limit,
            stored_bytes=seen.stored_bytes.limit,
        ),
        usage=UsageOut(
            active_items=seen.active_items.used,
            items_per_day=seen.items_per_day.used,
            stored_bytes=seen.stored_bytes.used,
        ),
    )
    return _json(out)
