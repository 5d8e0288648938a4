"""Mail, sent in the background when a mail server is configured.

No request waits for the server, and how long a response took tells no stranger whether there was
anything to send.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 8
"""Mails being sent at the same time. More are dropped: whoever wants one asks again."""

_slots = threading.BoundedSemaphore(MAX_CONCURRENT)


class _LastMail:
    """The last mail of this process. failed_at: when it could not be sent; None when it was."""

    failed_at: datetime | None = None


class SmtpBackend(EmailBackend):
    """Django's SMTP backend, which also trusts the authority of STORYKEEP_CA_BUNDLE."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """A TLS context that checks certificates, against the system's authorities and ours."""
        context = ssl.create_default_context()
        if settings.STORYKEEP.ca_bundle:
            context.load_verify_locations(settings.STORYKEEP.ca_bundle)
        return context


def is_configured() -> bool:
    """Whether this instance can send mail."""
    return settings.STORYKEEP.mail is not None


def failed_at() -> datetime | None:
    """When the last mail could not be sent; None when it was, and before the first one.

    Mail is sent by the web server alone, so this is known until it restarts.
    """
    return _LastMail.failed_at


def requires_mail(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Decorate a view that needs mail: 404 on an instance that cannot send any."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_configured():
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def send_in_background(message: EmailMessage) -> None:
    """Send a mail in a thread. Errors are logged, without the address or a word of the mail."""
    if not _slots.acquire(blocking=False):
        logger.error("mail dropped: %d others are still on their way", MAX_CONCURRENT)
        return
    threading.Thread(target=_send, args=(message,), name="mail", daemon=True).start()


def send_invitation(address: str, link: str, inviter: str, days: int) -> None:
    """Send an invitation's link, in the language that is active. days: for which it works."""
    text = _(
        "%(name)s invites you to Storykeep, which saves TikTok stories before they are gone.\n\n"
        "Choose a name and a password here:\n%(link)s"
    ) % {"name": inviter, "link": link}
    lasts = ngettext(
        "The link works once, for %(n)d day.", "The link works once, for %(n)d days.", days
    ) % {"n": days}
    headers = {"Auto-Submitted": "auto-generated"}
    send_in_background(
        EmailMessage(
            _("Your invitation to Storykeep"), f"{text}\n\n{lasts}\n", to=[address], headers=headers
        )
    )


def _send(message: EmailMessage) -> None:
    try:
        message.send()
        _LastMail.failed_at = None
        logger.info("mail sent")
    except OSError as error:  # smtplib's errors are among them, and may quote the address
        _LastMail.failed_at = timezone.now()
        logger.error("mail not sent: %s %s", type(error).__name__, getattr(error, "smtp_code", ""))
    finally:
        _slots.release()
