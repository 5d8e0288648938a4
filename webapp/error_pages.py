"""Error pages: 500 with an id to quote, 503 while the database is busy or full, 400 and 413, and
403 for a form that fails the CSRF check.

Requests below the API's prefix get JSON instead of a page.
"""

from __future__ import annotations

import logging
import sys

from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import (
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template import loader
from django.urls import reverse
from django.utils.translation import gettext as _

from jobs.errors import CannotWrite, message_and_hint, new_bug_id
from jobs.pages import home
from webapp import wrong_address
from webapp.api import error_response
from webapp.busy import Trouble, retry_after_s, trouble

logger = logging.getLogger(__name__)


def _is_api_request(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("api:api-root"))


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for a bug (500), or for a database that cannot do it now (503), wherever it was met:
    a view, the admin, a middleware. A bug's id stands in the log beside the traceback, without the
    URL."""
    error = sys.exc_info()[1]
    if error is not None and (kind := trouble(error)):
        return _put_off(request, error, kind)
    bug_id = new_bug_id()
    view = request.resolver_match.view_name if request.resolver_match else "?"
    logger.error("page crashed, bug %s, view %s", bug_id, view, exc_info=sys.exc_info())
    if _is_api_request(request):
        return error_response(500, "internal", f"{_('Something went wrong.')} ({bug_id})")
    # No request in the context: a page about a broken database must not ask the database.
    return HttpResponseServerError(loader.render_to_string("500.html", {"bug_id": bug_id}))


def _put_off(request: HttpRequest, error: BaseException, kind: Trouble) -> HttpResponse:
    logger.warning("page put off, the database is %s: %s", kind, error)
    wait_s = retry_after_s(kind)
    if _is_api_request(request):
        message, hint = message_and_hint(kind)
        return error_response(503, kind, message, hint, retryable=True, retry_after_s=wait_s)
    page = loader.render_to_string("503.html", {"cannot_write": kind == CannotWrite.code})
    response = HttpResponse(page, status=503)
    response.headers["Retry-After"] = str(wait_s)
    response.headers["Cache-Control"] = "no-store"  # set here, so that nobody reads who asks
    # Else Django logs it as an error, with a traceback.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a malformed request (400), or for one larger than the limits (413).

    Django takes every session that could not be saved for one that was ended meanwhile: where the
    database cannot do it now, that is said (503).
    """
    if isinstance(exception, SessionInterrupted):
        error: BaseException | None = exception
        while error is not None and not (kind := trouble(error)):
            error = error.__context__
        if error is not None:
            return _put_off(request, error, kind)
    too_large = isinstance(exception, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent)
    if too_large:
        logger.warning("a form over the limit was refused: %s", type(exception).__name__)
    status = 413 if too_large else 400
    wrong = wrong_address.of_host(request) if isinstance(exception, DisallowedHost) else None
    if _is_api_request(request):
        message = wrong.message if wrong else _("This request makes no sense.")
        hint = f"{wrong.hint} {wrong.setting}" if wrong else ""
        return error_response(status, "bad_request", message, hint)
    context = {"too_large": too_large, "status": status, "wrong": wrong}
    return HttpResponse(loader.render_to_string("400.html", context), status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form that fails the CSRF check (403); a paste is shown again.

    It says whether the form was old or came from an address that is not this instance's.
    """
    wrong = wrong_address.of_form(request, reason)
    problem = None
    if wrong is None:
        logger.warning("a form was refused: %s", reason)
    else:
        problem = home.Problem(
            message=wrong.message, hint=" ".join((wrong.hint, wrong.setting)).strip(), field=""
        )
    paste = home.expired_form(request, problem) if request.path == reverse("home") else None
    return paste or render(request, "403_csrf.html", {"wrong": wrong}, status=403)
