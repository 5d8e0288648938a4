"""What people see when a page of ours breaks: no stack trace, an id to quote."""

from __future__ import annotations

import logging
import secrets
import sys

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader

logger = logging.getLogger(__name__)


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for a bug. Its id stands in the log beside the traceback, without the address."""
    error_id = secrets.token_hex(5)
    view = request.resolver_match.view_name if request.resolver_match else "?"
    logger.error("page crashed, id %s, view %s", error_id, view, exc_info=sys.exc_info())
    # No request in the context: a page about a broken database must not ask the database.
    return HttpResponseServerError(loader.render_to_string("500.html", {"error_id": error_id}))
