"""The one NinjaAPI: mounts routers, authenticates tokens, turns every error into JSON."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError
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
from jobs import patience
from jobs.api.routes import router as jobs_router
from jobs.api.schemas import ErrorBody, ErrorOut, RefusedLineOut, SubmitErrorBody
from jobs.api.status import router as status_router
from jobs.api.watches import router as watches_router
from jobs.errors import (
    BUG_CODES,
    Busy,
    CannotWrite,
    Internal,
    NeverFits,
    explain,
    message_and_hint,
    new_bug_id,
)
from jobs.queue.submission import EmptySubmission, NothingUnderstood
from stories.errors import StoriesError
from webapp import openapi
from webapp.api_rate_limit import Decision, FixedWindowLimiter
from webapp.busy import retry_after_s, trouble

logger = logging.getLogger(__name__)

STATUS: Final[dict[str, int]] = {
    "not_understood": 422,
    "unsupported_link": 422,
    "not_a_story": 422,
    "dead_short_link": 422,
    "advert": 422,
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
    "unknown_answer": 502,
    "list_held_back": 502,
    "list_gated": 502,
    "clock_wrong": 502,
    "upstream_changed": 502,
    "media_unavailable": 502,
    "media_corrupt": 502,
    "sound_missing": 502,
    "unplayable": 422,
    "too_large": 422,
    "quota_exceeded": 429,
    "batch_too_long": 422,
    "disk_full": 507,
    "storage_unavailable": 503,
    "too_many_downloads": 429,
    "watching_off": 403,
    "hidden_name": 422,
    "several_accounts": 422,
    "expired": 410,
    "damaged": 410,
    "nothing_to_pack": 409,
    "idempotency_mismatch": 422,
    "idempotency_in_progress": 409,
    "cancelled": 409,
    "busy": 503,
    "cannot_write": 503,
    "internal": 500,
    "worker_lost": 500,
}
"""HTTP status of an error code that is the answer to a call. Within a job, the status is 200."""


SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""HTTP methods a read-only token may use."""
_RATE_LIMIT: Final = "storykeep.rate_limit"
"""Key of `request.META` for the Decision about this request."""

rate_limiter = FixedWindowLimiter()


class RateLimitExceeded(Exception):
    """A token has used up its requests in the current window."""

    def __init__(self, decision: Decision) -> None:
        super().__init__("too many requests")
        self.decision = decision


class ReadOnlyToken(Exception):
    """A read-only token was used for a method that changes something."""


_briefly = functools.partial(patience.at_most, 100)
"""Who only reads does not wait for the note that a token was used."""


class Bearer(HttpBearer):
    """`Authorization: Bearer <token>`; a browser's session does not count, so neither does CSRF."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """The token's row, whose owner becomes the request's user; None for an unknown token.

        Raises RateLimitExceeded and ReadOnlyToken.
        """
        api_token = tokens.authenticate(token, briefly=_briefly)
        if api_token is None:
            return None
        limit = settings.STORYKEEP.api_rate
        if limit:
            decision = rate_limiter.acquire(api_token.pk, limit)
            request.META[_RATE_LIMIT] = decision
            if not decision.allowed:
                raise RateLimitExceeded(decision)
        if api_token.scope != Scope.WRITE and request.method not in SAFE_METHODS:
            raise ReadOnlyToken
        request.user = api_token.owner
        return api_token


class Api(NinjaAPI):
    """A NinjaAPI that answers a wrong method and an unknown path in JSON as well, and whose OpenAPI
    document describes all headers."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The OpenAPI document with the headers of every operation."""
        schema = super().get_openapi_schema(**options)
        openapi.add_headers(schema, reverse("api:api-root"))
        return schema

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """The URL patterns, app name and namespace that `path("api/v1/", …)` takes."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = _always_json(pattern.callback)
        return patterns, app_name, namespace


def _get_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    # A script has no CSRF token: what it sends with another method is a wrong method, no more.
    return csrf_exempt(require_safe(view))


api = Api(
    title="Storykeep",
    version="1",
    description='Save active public TikTok stories. Every error is `{"error": {"code": "gone", '
    '"message": "…", "hint": "…", "retryable": false, "retry_after_s": null}}`; times are RFC 3339 '
    "in UTC. `HEAD` is answered wherever `GET` is. Tokens are made on the account page.",
    urls_namespace="api",
    auth=Bearer(),
    docs_url="/docs",
    docs_decorator=_get_only,
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
    lines: Sequence[RefusedLineOut] = (),
) -> HttpResponse:
    """The JSON body of every error (jobs/api/schemas.py), never cached.

    retry_after_s: also sent as Retry-After, rounded up to whole seconds. lines: those that were
    refused, when no job was made for want of another.
    """
    wait_s = None if retry_after_s is None else max(0, math.ceil(retry_after_s))
    error = ErrorOut(
        code=code, message=message, hint=hint, retryable=retryable, retry_after_s=wait_s
    )
    body = SubmitErrorBody(error=error, lines=list(lines)) if lines else ErrorBody(error=error)
    response = HttpResponse(body.model_dump_json(), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if wait_s is not None:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _allowed_methods(response: HttpResponseBase) -> str:
    """The `Allow` header of a 405, in alphabetical order; HEAD is wherever GET is."""
    methods = {method.strip() for method in response.headers["Allow"].split(",")}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _always_json(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @functools.wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return _length_required()
        try:
            response = view(request, *args, **kwargs)
        except Http404 as error:
            return _not_found(request, error)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = _allowed_methods(response)
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
            content_range = response.headers["Content-Range"]
            response = error_response(
                416,
                "range_not_satisfiable",
                _("The file is shorter than that."),
                _("Ask again without a range."),
            )
            response.headers["Content-Range"] = content_range
        response.headers.setdefault("Cache-Control", "private, no-cache")
        decision = request.META.get(_RATE_LIMIT)
        if isinstance(decision, Decision):
            for name, value in decision.headers.items():
                response.headers[name] = value
        return response

    return respond


@api.exception_handler(NothingUnderstood)
def _nothing_understood(request: HttpRequest, error: NothingUnderstood) -> HttpResponse:
    code = error.common_code
    _message, hint = message_and_hint(code)
    # At most as many as a job may hold: the answer is not to grow beyond what was sent.
    refused = error.lines[: settings.STORYKEEP.batch_max]
    return error_response(
        STATUS[code],
        code,
        f"{error.field}: {error.said()}",
        hint,
        lines=[RefusedLineOut.of(line) for line in refused],
    )


@api.exception_handler(StoriesError)
def _stories_error(request: HttpRequest, error: StoriesError) -> HttpResponse:
    message, hint = explain(error)
    if error.code in BUG_CODES and error.detail:
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


@api.exception_handler(RateLimitExceeded)
def _rate_limit_exceeded(request: HttpRequest, error: RateLimitExceeded) -> HttpResponse:
    return error_response(
        429,
        "too_many_requests",
        _("This token asks too often."),
        _("It may ask %(limit)d times a minute. Poll less often, or wait with `?wait=`.")
        % {"limit": error.decision.limit},
        retryable=True,
        retry_after_s=error.decision.resets_in_s,
    )


@api.exception_handler(ReadOnlyToken)
def _read_only_token(request: HttpRequest, error: ReadOnlyToken) -> HttpResponse:
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
def _validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    lines = [_field_error(detail["loc"], detail["msg"]) for detail in error.errors[:5]]
    return _invalid_request("; ".join(lines))


def _field_error(location: tuple[str | int, ...], message: str) -> str:
    """`options.audio: …`: the source (body, query) and the parameter's own name are left out."""
    names = [str(part) for part in (location[1:] or location)]
    if location and location[0] == "body" and len(names) > 1:
        names = names[1:]
    return f"{'.'.join(names)}: {message.removeprefix('Value error, ')}"


def _invalid_request(message: str) -> HttpResponse:
    docs = reverse("api:openapi-view")
    return error_response(
        422, "invalid_request", message, _("The shapes are described at %(docs)s.") % {"docs": docs}
    )


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja raises this for a body that is no JSON.
    return _invalid_request(f"body: {error.message}")


@api.exception_handler(RequestDataTooBig)
def _body_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return error_response(
        413,
        "body_too_large",
        _("That is more than one request may hold."),
        _("Split the list and send it in parts."),
    )


def _length_required() -> HttpResponse:
    # Django takes a chunked body for an empty one, and how much it holds is known too late.
    return error_response(
        411,
        "length_required",
        _("A body that comes in chunks is not read."),
        _("Send it in one piece, with its length in `Content-Length`."),
    )


@api.exception_handler(UnreadablePostError)
def _body_incomplete(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return _invalid_request("body: it ended too early")


@api.exception_handler(InterfaceError)
@api.exception_handler(DatabaseError)
@api.exception_handler(OSError)
def _trouble(request: HttpRequest, error: Exception) -> HttpResponse:
    kind = trouble(error)
    if not kind:
        return _bug(request, error)
    logger.warning("API call put off, the database is %s: %s", kind, error)
    put_off = CannotWrite if kind == CannotWrite.code else Busy
    response = _stories_error(request, put_off(retry_after_s=retry_after_s(kind)))
    # Else Django logs it as an error.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


@api.exception_handler(Exception)
def _bug(request: HttpRequest, error: Exception) -> HttpResponse:
    bug_id = new_bug_id()
    # The path is ours and holds ids only; the body, which names people, is not logged.
    logger.error("API call failed, bug %s: %s", bug_id, request.path, exc_info=error)
    return _stories_error(request, Internal(bug_id))


def _unknown_path(request: HttpRequest, path: str) -> HttpResponse:
    raise Http404


api.add_router("", jobs_router)
api.add_router("", status_router)
api.add_router("", watches_router)
_catch_all = Router()
_catch_all.api_operation(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    "/{path:path}",
    auth=None,
    include_in_schema=False,
    url_name="_nowhere",
)(_unknown_path)
api.add_router("", _catch_all)
