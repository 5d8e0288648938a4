"""The one API: who is asking, what it is called, and how every error looks in JSON."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.urls import URLPattern, URLResolver, reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.security import HttpBearer

from accounts import tokens
from accounts.models import ApiToken, Scope
from jobs.api.routes import router as jobs_router
from jobs.api.schemas import ErrorBody, ErrorOut
from jobs.errors import Internal, NeverFits, told
from jobs.queue.submission import EmptySubmission
from stories.errors import StoriesError
from webapp import openapi
from webapp.api_rate_limit import Turn, Turns

logger = logging.getLogger(__name__)

STATUS: Final[dict[str, int]] = {
    "not_understood": 422,
    "unsupported_link": 422,
    "not_a_story": 422,
    "dead_short_link": 422,
    "no_such_account": 404,
    "private_account": 403,
    "private_post": 403,
    "login_required": 403,
    "age_restricted": 403,
    "region_locked": 403,
    "gone": 410,
    "unavailable": 404,
    "challenged": 503,
    "refused": 503,
    "rate_limited": 503,
    "upstream_down": 502,
    "timed_out": 504,
    "upstream_changed": 502,
    "media_unavailable": 502,
    "media_corrupt": 502,
    "too_large": 422,
    "quota_exceeded": 429,
    "batch_too_long": 422,
    "disk_full": 507,
    "too_many_downloads": 429,
    "expired": 410,
    "nothing_to_pack": 409,
    "cancelled": 409,
    "internal": 500,
}
"""The HTTP status of an error that is the answer to a call. In a job, the status is 200."""


SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""What a token that may only look is good for."""
_TURN: Final = "storykeep.turn"

turns = Turns()


class TooOften(Exception):
    """This token has had its turns for now."""

    def __init__(self, turn: Turn) -> None:
        super().__init__("too many requests")
        self.turn = turn


class ReadOnly(Exception):
    """This token may look, and was used for more."""


class Bearer(HttpBearer):
    """`Authorization: Bearer <token>`; a browser's session does not count, so neither does CSRF."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """The token's row; from here on its owner is the request's user.

        Raises TooOften and ReadOnly.
        """
        found = tokens.authenticate(token)
        if found is None:
            return None
        limit = settings.STORYKEEP.api_rate
        if limit:
            turn = turns.take(found.pk, limit)
            request.META[_TURN] = turn
            if not turn.granted:
                raise TooOften(turn)
        if found.scope != Scope.WRITE and request.method not in SAFE:
            raise ReadOnly
        request.user = found.owner
        return found


class Api(NinjaAPI):
    """Ninja, except that a wrong method and an unknown path are answered in JSON as well, and that
    the description tells all headers."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The description, whole."""
        schema = super().get_openapi_schema(**options)
        openapi.complete(schema, reverse("api:api-root"))
        return schema

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """What `path("api/v1/", …)` takes."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = _always_json(pattern.callback)
        return patterns, app_name, namespace


def _only_looked_at(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    # A form's token is nothing a script has: what else it sends there is a wrong method, no more.
    return csrf_exempt(require_safe(view))


api = Api(
    title="Storykeep",
    version="1",
    description='Save active public TikTok stories. Every error is `{"error": {"code": "gone", '
    '"message": "…", "hint": "…", "retryable": false, "retry_after_s": null}}`; times are RFC 3339 '
    "in UTC. Tokens are made on the account page.",
    urls_namespace="api",
    auth=Bearer(),
    docs_url="/docs",
    docs_decorator=_only_looked_at,
    openapi_url="/openapi.json",
)


def error_response(
    status: int,
    code: str,
    message: str,
    hint: str = "",
    *,
    retryable: bool = False,
    retry_after_s: float | None = None,
) -> HttpResponse:
    """The one shape of an error, with Retry-After when there is a time."""
    wait_s = None if retry_after_s is None else max(0, math.ceil(retry_after_s))
    body = ErrorBody(
        error=ErrorOut(
            code=code, message=message, hint=hint, retryable=retryable, retry_after_s=wait_s
        )
    )
    response = HttpResponse(body.model_dump_json(), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if wait_s is not None:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _always_json(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @functools.wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return _no_length()
        try:
            response = view(request, *args, **kwargs)
        except Http404 as error:
            return _not_found(request, error)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = response.headers["Allow"]
            response = error_response(
                405,
                "method_not_allowed",
                _("This address does not take %(method)s.") % {"method": request.method},
                _("It takes %(methods)s.") % {"methods": allowed},
            )
            response.headers["Allow"] = allowed
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            response = error_response(
                412,
                "precondition_failed",
                _("It is not what it was when you last looked."),
                _("Look again without `If-Match`."),
            )
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            whole = response.headers["Content-Range"]
            response = error_response(
                416,
                "range_not_satisfiable",
                _("The file is shorter than that."),
                _("Ask again without a range."),
            )
            response.headers["Content-Range"] = whole
        response.headers.setdefault("Cache-Control", "private, no-cache")
        turn = request.META.get(_TURN)
        if isinstance(turn, Turn):
            for name, value in turn.headers.items():
                response.headers[name] = value
        return response

    return respond


@api.exception_handler(StoriesError)
def _expected(request: HttpRequest, error: StoriesError) -> HttpResponse:
    message, hint = told(error)
    if error.code == Internal.code and error.detail:
        message = f"{message} ({error.detail})"
    if isinstance(error, EmptySubmission):
        message = f"{error.field}: {_('There is no name and no link in that.')}"
    return error_response(
        # It is no use to come back with the same request.
        422 if isinstance(error, NeverFits) else STATUS[error.code],
        error.code,
        message,
        hint,
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
    )


@api.exception_handler(AuthenticationError)
def _unauthorized(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = error_response(
        401,
        "unauthorized",
        _("This call needs a valid API token."),
        _("Send it as “Authorization: Bearer …”. Tokens are made on the account page."),
    )
    response.headers["WWW-Authenticate"] = 'Bearer realm="Storykeep"'
    return response


@api.exception_handler(TooOften)
def _too_often(request: HttpRequest, error: TooOften) -> HttpResponse:
    return error_response(
        429,
        "too_many_requests",
        _("This token asks too often."),
        _("It may ask %(limit)d times a minute. Poll less often, or wait with `?wait=`.")
        % {"limit": error.turn.limit},
        retryable=True,
        retry_after_s=error.turn.ends_in_s,
    )


@api.exception_handler(ReadOnly)
def _read_only(request: HttpRequest, error: ReadOnly) -> HttpResponse:
    return error_response(
        403,
        "read_only_token",
        _("This token may look and download, and nothing else."),
        _("Make a token that may do everything on the account page."),
    )


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return error_response(
        404,
        "not_found",
        _("There is nothing here."),
        _("It may have been forgotten, or belong to someone else."),
    )


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    said = [_problem(one["loc"], one["msg"]) for one in error.errors[:5]]
    return _unreadable("; ".join(said))


def _problem(place: tuple[str | int, ...], message: str) -> str:
    """`options.audio: …`: the source (body, query) and the parameter's own name are left out."""
    names = [str(part) for part in place[1:]] if len(place) > 1 else [str(part) for part in place]
    if place and place[0] == "body" and len(names) > 1:
        names = names[1:]
    return f"{'.'.join(names)}: {message.removeprefix('Value error, ')}"


def _unreadable(message: str) -> HttpResponse:
    docs = reverse("api:openapi-view")
    return error_response(
        422, "invalid_request", message, _("The shapes are described at %(docs)s.") % {"docs": docs}
    )


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja raises this for a body that is no JSON.
    return _unreadable(f"body: {error.message}")


@api.exception_handler(RequestDataTooBig)
def _too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return error_response(
        413,
        "body_too_large",
        _("That is more than one request may hold."),
        _("Split the list and send it in parts."),
    )


def _no_length() -> HttpResponse:
    # Django takes such a body for an empty one, and how much it holds is known too late.
    return error_response(
        411,
        "length_required",
        _("A body that comes in chunks is not read."),
        _("Send it in one piece, with its length in `Content-Length`."),
    )


@api.exception_handler(UnreadablePostError)
def _broken_off(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return _unreadable("body: it ended too early")


@api.exception_handler(Exception)
def _bug(request: HttpRequest, error: Exception) -> HttpResponse:
    bug = uuid4().hex[:8]
    # The path is ours and holds ids only; the body, which names people, is not logged.
    logger.error("API call failed, bug %s: %s", bug, request.path, exc_info=error)
    return _expected(request, Internal(bug))


def _nowhere(request: HttpRequest, path: str) -> HttpResponse:
    raise Http404


api.add_router("", jobs_router)
_last = Router()
_last.api_operation(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    "/{path:path}",
    auth=None,
    include_in_schema=False,
    operation_id="nowhere",
)(_nowhere)
api.add_router("", _last)
