"""The page with the box: what is sent from it, what it keeps for its writer, what it gives back."""

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
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from jobs.errors import BatchTooLong, place, told
from jobs.models import LINE_LENGTH, Audio, Prefer
from jobs.pages.forms import PasteForm
from jobs.queries import cards
from jobs.queue import quotas, submission
from jobs.queue.submission import Line
from jobs.upstream import breaker
from stories.errors import InputError, StoriesError, UnsupportedLink

RECENT: Final = 6
MARKED: Final = 20
"""So many lines are named one by one when a paste is refused."""

_TYPED: Final = "typed"
_TYPED_KEPT_S: Final = 60 * 60
_FIELDS: Final = ("text", "note", "prefer", "posts", "audio")
_NEXT_LENGTH: Final = 2000
"""Django sends nobody on to an address of more than 2048 characters after they signed in."""
_writers = Signer(salt="jobs.pages.home.writer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A line that is in the way. number: where it stands in the box, from 1; None = not found."""

    number: int | None
    text: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why nothing was sent. field: what is wrong, `text` or `note`."""

    message: str
    hint: str = ""
    field: str = "text"
    lines: Sequence[Marked] = ()


def home(request: HttpRequest) -> HttpResponse:
    """The box, and the last jobs below it. A GET may bring text along; a POST makes a job."""
    if not request.user.is_authenticated:
        return _to_login(request)
    if request.method != "POST":
        return _page(request, PasteForm(initial=_waiting(request)))
    form = PasteForm(request.POST)
    if not form.is_valid():
        return _page(request, form, _wrong(form), status=422)
    lines = form.lines()
    verdicts = submission.read(lines)
    if verdicts and not any(line.target for line in verdicts):
        return _page(request, form, _nothing_in_it(form, verdicts), status=422)
    try:
        job = submission.submit(
            request.user,
            lines,
            note=form.cleaned_data["note"],
            options=form.options(),
            idempotency_key=_once(request, form),
        )
    except StoriesError as error:
        return _page(request, form, _refused(form, verdicts, error), status=422)
    return redirect("job", job.pk)


def again(request: HttpRequest) -> HttpResponse | None:
    """What was sent from a page that was too old to be trusted: shown, to be sent once more; None
    when it was somebody else's page."""
    if not request.user.is_authenticated:
        return _to_login(request)
    if _writer(request) != str(request.user.pk):
        return None
    problem = Problem(
        message=_("This page was too old, and nothing was sent."),
        hint=_("All you typed is still here: send it once more."),
        field="",
    )
    return _page(request, PasteForm(initial=_given(request)), problem, status=403)


def _page(
    request: HttpRequest, form: PasteForm, problem: Problem | None = None, *, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "problem": problem,
        "open_options": _has_more_than_text(form),
        "writer": _writers.sign(str(request.user.pk)),
        "once": uuid4().hex,
        "limit": settings.STORYKEEP.batch_max,
        "ttl": settings.STORYKEEP.artifact_ttl,
        "prefer_choices": Prefer.choices,
        "audio_choices": Audio.choices,
        "breaker": breaker.breaker_status(),
        "cards": cards.job_cards(cards.search_jobs(request.user)[:RECENT]),
        "recent_targets": cards.recent_targets(request.user),
        "usage": quotas.usage(request.user),
        "style": "day-time",
    }
    response = render(request, "jobs/home.html", context, status=status)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _has_more_than_text(form: PasteForm) -> bool:
    given = form.data if form.is_bound else form.initial
    usual = {"", None, False, Prefer.COMPATIBLE, Audio.NONE}
    return any(given.get(name) not in usual for name in _FIELDS if name != "text")


def _once(request: HttpRequest, form: PasteForm) -> str | None:
    """The same for the same page sent twice as it was: a double tap makes one job."""
    page = request.POST.get("once", "")
    if not page:
        return None
    sent = json.dumps([page, form.cleaned_data], sort_keys=True, default=str)
    return f"page {hashlib.sha256(sent.encode('utf-8', 'replace')).hexdigest()}"


# --- what is wrong --------------------------------------------------------------------------------


def _wrong(form: PasteForm) -> Problem:
    field, errors = next(iter(form.errors.as_data().items()))
    message = " ".join(errors[0].messages)
    if field == "note":
        return Problem(message=f"{_('Why you save this')}: {message}", field=field)
    lines = enumerate(form.data.get("text", "").splitlines(), start=1)
    hidden = [number for number, line in lines if "\0" in line]
    marked = [Marked(number=number, text="", said=message) for number in hidden[:MARKED]]
    return Problem(message=message, lines=marked)


def _nothing_in_it(form: PasteForm, verdicts: Sequence[Line]) -> Problem:
    first = [(line.text, _verdict(line.error)) for line in verdicts[:MARKED] if line.error]
    if len(verdicts) > 1:
        message = _("None of these lines can be saved.")
    elif isinstance(verdicts[0].error, UnsupportedLink):
        message = _("This line cannot be saved.")
    else:
        message = _("There is no name and no link in that.")
    return Problem(message=message, lines=_marked(form, first))


def _verdict(error: InputError) -> str:
    """What it is instead, why that will not do, and what will."""
    message, hint = told(error)
    instead = f"{capfirst(place(error.detail))}." if isinstance(error, UnsupportedLink) else ""
    return " ".join(filter(None, (instead, message, hint)))


def _refused(form: PasteForm, verdicts: Sequence[Line], error: StoriesError) -> Problem:
    message, hint = told(error)
    marked: Sequence[Marked] = ()
    if isinstance(error, BatchTooLong) and error.limit < len(verdicts):
        marked = _marked(form, [(verdicts[error.limit].text, _("From here on it is too much."))])
    return Problem(message=message, hint=hint, lines=marked)


def _marked(form: PasteForm, told_of: Iterable[tuple[str, str]]) -> list[Marked]:
    """Lines and what there is to say of each, with their numbers: of the line that is it, or holds
    it among other things."""
    box = form.data.get("text", "").splitlines()
    lines = [submission.tame(line, LINE_LENGTH) for line in box]
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        numbers.setdefault(line, number)

    def number_of(text: str) -> int | None:
        holding = (number for number, line in enumerate(lines, start=1) if text in line)
        return numbers.get(text) or next(holding, None)

    return [Marked(number=number_of(text), text=text, said=said) for text, said in told_of]


# --- what waits for its writer --------------------------------------------------------------------


def _to_login(request: HttpRequest) -> HttpResponse:
    """What was brought along, or typed before the session ended, is there again after sign-in."""
    here = reverse("home")
    if request.method == "POST":
        _keep(request, _given(request), _writer(request))
        return redirect_to_login(here)
    text = _prefill(request)
    address = f"{here}?{urlencode({'text': text})}" if text else here
    if len(address) > _NEXT_LENGTH:
        _keep(request, {"text": text}, None)
        address = here
    return redirect_to_login(address)


def _given(request: HttpRequest) -> dict[str, Any]:
    return {name: request.POST[name] for name in _FIELDS if request.POST.get(name)}


def _writer(request: HttpRequest) -> str:
    """Whose page this was sent from; "" for a form that none of our pages holds."""
    try:
        return _writers.unsign(request.POST.get("writer", ""))
    except BadSignature:
        return ""


def _keep(request: HttpRequest, given: dict[str, Any], writer: str | None) -> None:
    """Until somebody signs in here: the writer, or anybody when None."""
    if writer != "" and given.get("text", "").strip():
        request.session[_TYPED] = {"given": given, "writer": writer}
        request.session.set_expiry(_TYPED_KEPT_S)  # signing in makes it long again


def _waiting(request: HttpRequest) -> dict[str, Any]:
    """What the box holds to begin with: what was left, and what comes along."""
    kept, brought = _kept(request) or {}, _prefill(request)
    return kept | {"text": "\n".join(filter(None, (kept.get("text"), brought)))}


def _kept(request: HttpRequest) -> dict[str, Any] | None:
    """What this person left; what somebody else did is dropped."""
    kept = request.session.pop(_TYPED, None)
    if not isinstance(kept, dict) or kept.get("writer") not in {None, str(request.user.pk)}:
        return None
    return dict(kept["given"])


def _prefill(request: HttpRequest) -> str:
    """What an app shared, or a link brought along: text and link, each once.

    The title counts only when neither says where to look: a lone word would be read as a name.
    """
    title, text, url = (request.GET.get(name, "").strip() for name in ("title", "text", "url"))
    told_here = [text, *([url] if url not in text else [])]
    if title and not any(mark in part for mark in ("@", "://") for part in told_here):
        told_here = [title, *told_here]
    return "\n".join(dict.fromkeys(filter(None, told_here)))
