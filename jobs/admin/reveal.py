"""Who sees what was fetched: its owner, and for minutes an admin who asked for it, which is logged.

The log says who looked, when, and at which row; never at what.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs.admin import masking

RIGHT: Final = "jobs.reveal_target"
REVEALED_FOR_S: Final = 300
"""Seconds a revealed row stays revealed, in the session that asked."""
_KEY: Final = "revealed"
_MAX_ROWS: Final = 50
_ID: Final = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}", re.IGNORECASE)

_REVEALED: Final = gettext_noop("Revealed what was fetched.")
_SEARCHED: Final = gettext_noop("Searched by what was fetched.")
LOG_MESSAGES: Final = (_REVEALED, _SEARCHED)
"""As they stand in the log: in English, for readers have languages of their own."""


def may_reveal(request: HttpRequest) -> bool:
    """Whether the reader may reveal what others fetched, and search by it."""
    return request.user.has_perm(RIGHT)


def is_shown(request: HttpRequest, row: Any) -> bool:
    """Whether this reader sees this row's masked fields. row: of a model with an owner."""
    return masking.targets_shown() or is_own(request, row) or is_revealed(request, row)


def is_own(request: HttpRequest, row: Any) -> bool:
    """Whether the row is the reader's."""
    return request.user.pk is not None and row.owner_id == request.user.pk


def is_revealed(request: HttpRequest, row: Model) -> bool:
    """Whether the reader revealed this row lately, and still may."""
    until = _marks(request).get(_name(row), 0.0)
    # Not later than any mark can be: a clock that was set back lengthens nothing.
    return time.time() < until <= time.time() + REVEALED_FOR_S and may_reveal(request)


def reveal(request: HttpRequest, row: Model) -> None:
    """Show a row to this session for REVEALED_FOR_S, and log it."""
    now = time.time()
    marks = {name: until for name, until in _marks(request).items() if until > now}
    marks[_name(row)] = now + REVEALED_FOR_S
    request.session[_KEY] = dict(list(marks.items())[-_MAX_ROWS:])
    _log(request, type(row), _REVEALED, str(row.pk), str(row))


def tells_target(words: str) -> bool:
    """Whether a search for these words may be one by what was fetched; False for an id alone."""
    return bool(words.strip()) and not _ID.fullmatch(words.strip())


def log_search(request: HttpRequest, model: type[Model]) -> None:
    """Log that the reader searched a table by what was fetched; not what for."""
    with translation.override("en"):
        table = str(model._meta.verbose_name_plural)  # noqa: SLF001  # public by documentation
    _log(request, model, _SEARCHED, None, table)


def translated(message: str) -> str:
    """A message of this log in the reader's language; another one unchanged."""
    return _(message) if message in LOG_MESSAGES else message


def _marks(request: HttpRequest) -> dict[str, float]:
    """Row -> Unix seconds until which it is shown."""
    marks = request.session.get(_KEY)
    return marks if isinstance(marks, dict) else {}


def _name(row: Model) -> str:
    return f"{row._meta.model_name}:{row.pk}"  # noqa: SLF001  # public by documentation


def _log(
    request: HttpRequest, model: type[Model], message: str, object_id: str | None, said: str
) -> None:
    if request.user.pk is None:
        return
    LogEntry.objects.create(
        user_id=request.user.pk,
        content_type=ContentType.objects.get_for_model(model),
        object_id=object_id,
        object_repr=said[:200],
        action_flag=CHANGE,
        change_message=message,
    )
