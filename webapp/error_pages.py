"""What people see when a request cannot be answered: no stack trace; an id to quote for a bug."""

from __future__ import annotations

import logging
import secrets
import sys

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import csrf

from jobs.pages import home
from webapp.api import error_response

logger = logging.getLogger(__name__)


def _is_of_the_api(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("api:api-root"))


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for a bug. Its id stands in the log beside the traceback, without the address."""
    error_id = secrets.token_hex(5)
    view = request.resolver_match.view_name if request.resolver_match else "?"
    logger.error("page crashed, id %s, view %s", error_id, view, exc_info=sys.exc_info())
    if _is_of_the_api(request):
        return error_response(500, "internal", f"{_('Something went wrong.')} ({error_id})")
    # No request in the context: a page about a broken database must not ask the database.
    return HttpResponseServerError(loader.render_to_string("500.html", {"error_id": error_id}))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a request that makes no sense, or is larger than we take (413)."""
    too_large = isinstance(exception, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent)
    if too_large:
        logger.warning("a form over the limit was refused: %s", type(exception).__name__)
    status = 413 if too_large else 400
    if _is_of_the_api(request):
        return error_response(status, "bad_request", _("This request makes no sense."))
    content = loader.render_to_string("400.html", {"too_large": too_large, "status": status})
    return HttpResponse(content, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form that is too old, or not ours; what was typed into the box comes back."""
    shown = home.expired_form(request) if request.path == reverse("home") else None
    return shown or csrf.csrf_failure(request, reason)
