"""Mail, on an instance that can send any: handed over beside the request, not within it.

So nobody waits for a mail server, and how long it took tells no stranger whether there was anything
to send.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.functional import cached_property

logger = logging.getLogger(__name__)

AT_ONCE = 8
"""Mails on their way at the same time. More are dropped: whoever wants one asks again."""

_on_their_way = threading.BoundedSemaphore(AT_ONCE)


class Smtp(EmailBackend):
    """Django's, which also trusts the authority of STORYKEEP_CA_BUNDLE."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """Every certificate is checked, against the system's authorities and ours."""
        context = ssl.create_default_context()
        if settings.STORYKEEP.ca_bundle:
            context.load_verify_locations(settings.STORYKEEP.ca_bundle)
        return context


def configured() -> bool:
    """Can this instance send mail?"""
    return settings.STORYKEEP.mail is not None


def only_with_mail(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For a page that is nothing without mail: 404 on an instance that sends none."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not configured():
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def post(message: EmailMessage) -> None:
    """Send it, soon. What goes wrong is in the log, without the address or a word of the mail."""
    if not _on_their_way.acquire(blocking=False):
        logger.error("mail dropped: %d others are still on their way", AT_ONCE)
        return
    threading.Thread(target=_send, args=(message,), name="mail", daemon=True).start()


def _send(message: EmailMessage) -> None:
    try:
        message.send()
        logger.info("mail sent")
    except OSError as error:  # smtplib's errors are among them, and may quote the address
        logger.error("mail not sent: %s %s", type(error).__name__, getattr(error, "smtp_code", ""))
    finally:
        _on_their_way.release()
