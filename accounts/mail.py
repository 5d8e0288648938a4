"""Mail, sent in the background when a mail server is configured.

No request waits for the server, and how long a response took tells no stranger whether there was
anything to send.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 8
"""Mails being sent at the same time. More are dropped: whoever wants one asks again."""

_slots = threading.BoundedSemaphore(MAX_CONCURRENT)


_KEPT_S: Final = 24 * 60 * 60
"""Seconds for which it is told that a mail could not be sent."""


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

    Of all web processes, for a day; with another server in the settings nothing has failed yet.
    """
    times = cache.get(_failure_key(), [])
    with suppress(ValueError, OverflowError, OSError, IndexError):
        return datetime.fromtimestamp(times[0], UTC)
    return None


def _failure_key() -> str:
    """The key in Django's cache, which web processes share: [Unix seconds]."""
    url = settings.STORYKEEP.email_url
    digest = hashlib.sha256(url.get_secret_value().encode() if url else b"").hexdigest()
    return f"mail-failed-at:{digest}"


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
        cache.delete(_failure_key())
        logger.info("mail sent")
    except OSError as error:  # smtplib's errors are among them, and may quote the address
        cache.set(_failure_key(), [time.time()], _KEPT_S)
        logger.error("mail not sent: %s %s", type(error).__name__, getattr(error, "smtp_code", ""))
    finally:
        _slots.release()
