"""The API's calls about watched accounts. Who may not watch here still sees and deletes theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final, TypeVar

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router
from ninja.errors import ValidationError
from pydantic import BaseModel

from jobs.api.asking import CHANGES, ERRORS, parsed_id, user_of
from jobs.api.schemas import ErrorBody
from jobs.api.watch_schemas import GapList, GapOut, WatchIn, WatchList, WatchOut, WatchPatch
from jobs.errors import WatchingOff
from jobs.models import Watch
from jobs.queries import lists
from jobs.watching import overview, permission, watches
from jobs.watching.watches import BadRhythm

WATCHES_PER_PAGE: Final = 20
MAX_WATCHES_PER_PAGE: Final = 50
READS: Final = {403: ErrorBody, **ERRORS}

Result = TypeVar("Result")

router = Router(tags=["Watches"])


def _watcher(request: HttpRequest) -> User:
    """The token's owner. Raises WatchingOff for one who may not watch."""
    user = user_of(request)
    if not permission.may_watch(user):
        raise WatchingOff
    return user


def _own_watch(request: HttpRequest, watch_id: str) -> Watch:
    own = Watch.objects.filter(owner_id=user_of(request).pk).select_related("account", "owner")
    watch = own.filter(pk=parsed_id(watch_id)).first()
    if watch is None:
        raise Http404
    return watch


def _answer(out: BaseModel, status: int = 200) -> HttpResponse:
    return HttpResponse(out.model_dump_json(), status=status, content_type="application/json")


def _fresh(watch: Watch, status: int = 200) -> HttpResponse:
    """A watch as it is by now. Raises Http404 where it became part of another one, or is gone."""
    found = Watch.objects.select_related("account").filter(pk=watch.pk).first()
    if found is None:
        raise Http404
    return _answer(WatchOut.of(found), status)


def _every(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _with_rhythm(act: Callable[[], Result]) -> Result:
    """What `act` returns. Raises ValidationError about `every_s` where it does BadRhythm."""
    try:
        return act()
    except BadRhythm as error:
        message = f"it may be one of {error}"
        raise ValidationError([{"loc": ("body", "every_s"), "msg": message}]) from error


@router.get(
    "/watches",
    response={200: WatchList, **READS},
    operation_id="watches_api_mine",
    summary="List my watches",
)
def list_watches(
    request: HttpRequest,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_WATCHES_PER_PAGE)] = WATCHES_PER_PAGE,
) -> HttpResponse:
    """The accounts I watch, newest first, with those whose watch has ended."""
    user = user_of(request)
    if not permission.may_see(user):
        raise WatchingOff
    own = Watch.objects.filter(owner_id=user.pk)
    try:
        ids, next_cursor = lists.page_of(own, after=cursor, limit=limit)
    except ValueError as error:
        raise ValidationError([{"loc": ("query", "cursor"), "msg": str(error)}]) from error
    rows = own.select_related("account").in_bulk(ids)
    out = [WatchOut.of(rows[pk]) for pk in ids if pk in rows]
    return _answer(WatchList(watches=out, next=next_cursor))


@router.post(
    "/watches",
    response={201: WatchOut, 200: WatchOut, **CHANGES},
    operation_id="watches_api_begin",
    summary="Watch an account",
)
def begin(request: HttpRequest, body: WatchIn) -> HttpResponse:
    """Watch an account, and look at it at once. 200 when I watch it already; that renews it.

    Whether there is such an account the first look tells: where not, the watch ends with the error.
    """
    user, asked_at = _watcher(request), timezone.now()
    watch = _with_rhythm(
        lambda: watches.begin(
            user,
            body.asked(),
            every=_every(body.every_s),
            note=body.note,
            notify=body.notify,
        )
    )
    made = watch.created_at >= asked_at
    response = _fresh(watch, 201 if made else 200)
    if made:
        response.headers["Location"] = f"{request.path.rstrip('/')}/{watch.pk}"
    return response


@router.get(
    "/watches/{watch_id}",
    response={200: WatchOut, **READS},
    operation_id="watches_api_watch",
    summary="Look at one watch",
)
def get_watch(request: HttpRequest, watch_id: str) -> HttpResponse:
    """One watch."""
    return _answer(WatchOut.of(_own_watch(request, watch_id)))


@router.patch(
    "/watches/{watch_id}",
    response={200: WatchOut, **CHANGES},
    operation_id="watches_api_change",
    summary="Change, pause, resume or renew a watch",
)
def change(request: HttpRequest, watch_id: str, body: WatchPatch) -> HttpResponse:
    """Change what is given, and leave the rest. One that has ended stays ended: watch it anew."""
    _watcher(request)
    watch = _own_watch(request, watch_id)
    given = body.model_fields_set & {"every_s", "note", "notify"}
    if given:
        _with_rhythm(
            lambda: watches.change(
                watch, every=_every(body.every_s), note=body.note, notify=body.notify
            )
        )
    if body.state == "paused":
        watches.pause(watch)
    elif body.state == "active":
        watches.resume(watch)
    if body.renew:
        watches.renew(watch)
    return _fresh(watch)


@router.delete(
    "/watches/{watch_id}",
    response={204: None, **CHANGES},
    operation_id="watches_api_delete",
    summary="Stop watching",
)
def delete(request: HttpRequest, watch_id: str) -> HttpResponse:
    """Delete the watch and its gaps; the jobs that came of it stay."""
    watches.delete(_own_watch(request, watch_id))
    return HttpResponse(status=204)


@router.post(
    "/watches/{watch_id}/check",
    response={202: WatchOut, **CHANGES},
    operation_id="watches_api_check",
    summary="Look now",
)
def check(request: HttpRequest, watch_id: str) -> HttpResponse:
    """Have the account looked at now, once in ten minutes. One that is paused or has ended is
    returned as it is."""
    _watcher(request)
    watch = _own_watch(request, watch_id)
    watches.check(watch)
    return _fresh(watch, 202)


@router.get(
    "/watches/{watch_id}/gaps",
    response={200: GapList, **READS},
    operation_id="watches_api_gaps",
    summary="When it was not covered",
)
def list_gaps(request: HttpRequest, watch_id: str) -> HttpResponse:
    """The times in which stories may have come and gone unseen, newest first."""
    gaps = overview.gaps_of(_own_watch(request, watch_id))
    return _answer(GapList(gaps=[GapOut.of(gap) for gap in gaps]))
