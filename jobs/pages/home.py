"""The home page: the form that submits lines, its problems, and drafts that wait for a sign-in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from jobs.errors import BatchTooLong, explain, localized_detail
from jobs.files import disk
from jobs.lines import read_lines
from jobs.models import LINE_LENGTH, Audio, Prefer
from jobs.pages.forms import PasteForm
from jobs.pages.responses import uncached
from jobs.queries import cards, uncollected
from jobs.queries.cards import JobCard
from jobs.queue import quotas, submission
from jobs.queue.submission import NothingUnderstood
from jobs.states import OPEN
from jobs.text import clean_text
from jobs.upstream import breaker
from stories.errors import InputError, StoriesError
from stories.links import REFUSAL_WORDS

RECENT_JOBS: Final = 6
MOST_FOUND: Final = 5
"""Lines of the strip with what watches found."""
_JOBS_LOOKED_AT: Final = 18
"""Among how many of the last jobs the recent ones are chosen."""
MAX_MARKED_LINES: Final = 20
"""The most lines named one by one when a paste is refused."""

_DRAFT_KEY: Final = "typed"
_DRAFT_TTL_S: Final = 60 * 60
_FIELDS: Final = ("text", "note", "prefer", "posts", "audio")
_MAX_NEXT_LENGTH: Final = 2000
"""Django redirects to no address of more than 2048 characters after a sign-in."""
_WRITER_SALT: Final = "jobs.home.writer"
"""It stays as it is: pages opened before an update keep their signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedLine:
    """A line of the text field that is refused. number: from 1; None where it was not found."""

    number: int | None
    text: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A refused submission. field: the form's field it is about, "" for the form as a whole."""

    message: str
    hint: str = ""
    field: str = "text"
    lines: Sequence[MarkedLine] = ()


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """The form, and the last jobs below it. A GET may bring text along; a POST makes a job."""
    if not request.user.is_authenticated:
        return _redirect_to_login(request)
    if request.method != "POST":
        return page(request, PasteForm(initial=_initial(request)))
    form = PasteForm(request.POST)
    if not form.is_valid():
        return page(request, form, _form_problem(form), status=422)
    try:
        job = submission.submit(
            request.user,
            form.lines(),
            note=form.cleaned_data["note"],
            options=form.options(),
            idempotency_key=_idempotency_key(request, form),
        )
    except StoriesError as error:
        return page(request, form, submit_problem(form, error), status=422)
    return redirect("job", job.pk)


def expired_form(request: HttpRequest, problem: Problem | None = None) -> HttpResponse | None:
    """The form with what was sent in one that failed the CSRF check, to be sent again.

    problem: why it failed, when not for its age. None when the page was another user's.
    """
    if not request.user.is_authenticated:
        return _redirect_to_login(request)
    if _writer_id(request) != str(request.user.pk):
        return None
    problem = problem or Problem(
        message=_("This page had expired, so nothing was sent."),
        hint=_("What you typed is still here. Send it again."),
        field="",
    )
    return page(request, PasteForm(initial=_submitted(request)), problem, status=403)


def page(
    request: HttpRequest, form: PasteForm, problem: Problem | None = None, *, status: int = 200
) -> HttpResponse:
    """The page with the form as filled in, and what is wrong with what it sent."""
    found = uncollected.of_owner(request.user.pk)
    context = {
        "form": form,
        "found": found[:MOST_FOUND],
        "more_found": len(found[MOST_FOUND:]),
        "problem": problem,
        "open_options": _has_options(form),
        "writer": _writer_signer().sign(str(request.user.pk)),
        "once": uuid4().hex,
        "limit": settings.STORYKEEP.batch_max,
        "ttl": settings.STORYKEEP.artifact_ttl,
        "prefer_choices": Prefer.choices,
        "audio_choices": Audio.choices,
        "breaker": breaker.open_state(),
        "disk_away": disk.is_away(),
        "refused": _("This is %(thing)s, not a story.") % {"thing": "{}"},
        "refusals": {name: localized_detail(words) for name, words in REFUSAL_WORDS.items()},
        "prefilled": not problem and bool(form.initial.get("text")),
        "cards": _recent_cards(request),
        "recent_targets": cards.recent_targets(request.user),
        "usage": quotas.usage(request.user),
        "style": "near",
    }
    return uncached(render(request, "jobs/home.html", context, status=status))


def _recent_cards(request: HttpRequest) -> list[JobCard]:
    """The user's last jobs: open ones first; of settled ones about the same names the latest."""
    found = cards.job_cards(cards.search_jobs(request.user)[:_JOBS_LOOKED_AT])
    running = [card for card in found if card.state in OPEN]
    latest: dict[object, JobCard] = {}
    for card in found:
        if card.state not in OPEN:
            latest.setdefault((card.names, card.more_names, card.note), card)
    return [*running, *latest.values()][:RECENT_JOBS]


def _has_options(form: PasteForm) -> bool:
    """True when the note or an option differs from its default."""
    fields = form.data if form.is_bound else form.initial
    defaults = {"", None, False, Prefer.COMPATIBLE, Audio.NONE}
    return any(fields.get(name) not in defaults for name in _FIELDS if name != "text")


def _idempotency_key(request: HttpRequest, form: PasteForm) -> str | None:
    """A key that is equal when one page sends equal fields twice: a double tap makes one job."""
    page_id = request.POST.get("once", "")
    if not page_id:
        return None
    content = json.dumps([page_id, form.cleaned_data], sort_keys=True, default=str)
    return f"page {hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()}"


# --- problems -------------------------------------------------------------------------------------


def _form_problem(form: PasteForm) -> Problem:
    field, errors = next(iter(form.errors.as_data().items()))
    message = " ".join(errors[0].messages)
    if field == "note":
        return Problem(message=f"{_('Note')}: {message}", field=field)
    lines = enumerate(form.data.get("text", "").splitlines(), start=1)
    hidden = [number for number, line in lines if "\0" in line]
    marked = [
        MarkedLine(number=number, text="", message=message) for number in hidden[:MAX_MARKED_LINES]
    ]
    return Problem(message=message, lines=marked)


def _line_message(error: InputError) -> str:
    """The words for a refused line: the error's message and its hint."""
    return " ".join(filter(None, explain(error)))


def submit_problem(form: PasteForm, error: StoriesError) -> Problem:
    """Why no job was made of a valid form, with the lines that are in the way."""
    if isinstance(error, NothingUnderstood):
        refused = error.lines[:MAX_MARKED_LINES]
        messages = [(line.text, _line_message(line.error)) for line in refused if line.error]
        return Problem(message=error.said(), lines=_marked_lines(form, messages))
    message, hint = explain(error)
    marked: Sequence[MarkedLine] = ()
    if isinstance(error, BatchTooLong):
        first_over = read_lines(form.lines())[error.limit]
        marked = _marked_lines(form, [(first_over.text, _("Too many lines from here on."))])
    return Problem(message=message, hint=hint, lines=marked)


def _marked_lines(form: PasteForm, messages: Iterable[tuple[str, str]]) -> list[MarkedLine]:
    """Lines and their messages, with the number of the typed line that is equal or contains it."""
    typed = form.data.get("text", "").splitlines()
    lines = [clean_text(line, LINE_LENGTH) for line in typed]
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        numbers.setdefault(line, number)

    def number_of(text: str) -> int | None:
        containing = (number for number, line in enumerate(lines, start=1) if text in line)
        return numbers.get(text) or next(containing, None)

    return [
        MarkedLine(number=number_of(text), text=text, message=message) for text, message in messages
    ]


# --- drafts ---------------------------------------------------------------------------------------


def _redirect_to_login(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in and back here. A sent form, or text that came along, is kept.

    Short text travels in the address to return to, the rest as a draft in the session.
    """
    home_url = reverse("home")
    if request.method == "POST":
        save_draft(request, _submitted(request), _writer_id(request))
        return redirect_to_login(home_url)
    text = shared_text(request.GET)
    address = f"{home_url}?{urlencode({'text': text})}" if text else home_url
    if len(address) > _MAX_NEXT_LENGTH:
        save_draft(request, {"text": text}, None)
        address = home_url
    return redirect_to_login(address)


def _submitted(request: HttpRequest) -> dict[str, Any]:
    """The filled fields of a form that was sent, unchecked."""
    return {name: request.POST[name] for name in _FIELDS if request.POST.get(name)}


def _writer_signer() -> Signer:
    """By the key in force: a restore may have replaced it since the start."""
    return Signer(salt=_WRITER_SALT)


def _writer_id(request: HttpRequest) -> str:
    """The id of the user whose page sent this form; "" where it was none of our pages."""
    try:
        return _writer_signer().unsign(request.POST.get("writer", ""))
    except BadSignature:
        return ""


def save_draft(request: HttpRequest, fields: dict[str, Any], writer_id: str | None) -> None:
    """Keep fields in the session for the user of that id; None for whoever signs in next."""
    if writer_id != "" and fields.get("text", "").strip():
        request.session[_DRAFT_KEY] = {"given": fields, "writer": writer_id}
        request.session.set_expiry(_DRAFT_TTL_S)  # signing in makes it long again


def _initial(request: HttpRequest) -> dict[str, Any]:
    """The fields a page begins with: the user's draft, and text that came along below it."""
    draft, shared = _pop_draft(request), shared_text(request.GET)
    return draft | {"text": "\n".join(filter(None, (draft.get("text"), shared)))}


def _pop_draft(request: HttpRequest) -> dict[str, Any]:
    """The draft of this user, {} for none; another user's is dropped."""
    draft = request.session.pop(_DRAFT_KEY, None)
    if not isinstance(draft, dict) or draft.get("writer") not in {None, str(request.user.pk)}:
        return {}
    return dict(draft["given"])


def shared_text(fields: QueryDict) -> str:
    """The `text` and `url` an app shared or a link holds, each once.

    `title` is added only when neither holds a name or link: a lone word would be read as a name.
    """
    title, text, url = (fields.get(name, "").strip() for name in ("title", "text", "url"))
    parts = [text, *([url] if url not in text else [])]
    if title and not any(mark in part for mark in ("@", "://") for part in parts):
        parts = [title, *parts]
    return "\n".join(dict.fromkeys(filter(None, parts)))
