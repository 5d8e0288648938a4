"""The page where a person chooses how their files are named, with a preview of what comes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from jobs import name_template
from jobs.files import naming_choices, story_names
from jobs.files.story_names import NameFacts
from jobs.name_template import TemplateRefused
from jobs.pages.responses import uncached

_LONG_CAPTION: Final = (
    "We opened at six this morning, and the queue went round the corner: thank you all 🥖🥐 #bakery"
)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def naming(request: HttpRequest) -> HttpResponse:
    """The template of the user's file names, and its preview. `?template=` previews another one.

    A POST keeps `template`, with `preview` only shows what comes of it, or with `reset` goes back
    to the instance's; 422 for one that cannot be used.
    """
    owner_id = int(request.user.pk or 0)
    own = naming_choices.own_template(owner_id)
    default = settings.STORYKEEP.filename_template
    if request.method == "POST" and "preview" not in request.POST:
        template = "" if "reset" in request.POST else request.POST.get("template", "")
        try:
            naming_choices.choose(owner_id, template)
        except TemplateRefused as refused:
            return _page(request, template, own=own, refused=refused, status=422)
        messages.success(request, _("New files will be named like this."))
        return redirect("naming")
    sent = request.POST if request.method == "POST" else request.GET
    template = sent.get("template", own or default)
    try:
        name_template.parse(template)
    except TemplateRefused as refused:  # it says what is wrong, and has not failed
        return _page(request, template, own=own, refused=refused)
    return _page(request, template, own=own)


def _page(
    request: HttpRequest,
    template: str,
    *,
    own: str,
    refused: TemplateRefused | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "template": template[: 2 * name_template.TEMPLATE_LENGTH],
        "length": name_template.TEMPLATE_LENGTH,
        "own": own,
        "default": settings.STORYKEEP.filename_template,
        "wrong": _words_for(refused) if refused else "",
        "samples": [] if refused else _samples(template, timezone.now()),
        "placeholders": _placeholders(),
    }
    return uncached(render(request, "jobs/naming.html", context, status=status))


def _placeholders() -> list[tuple[str, str]]:
    """Each placeholder as it is written, and what it stands for."""
    return [
        ("{author}", _("TikTok name")),
        ("{nickname}", _("display name")),
        ("{caption}", _("caption; {caption:20} takes its first 20 characters")),
        ("{date}", _("day it was posted")),
        ("{time}", _("time it was posted")),
        ("{number}", _("number of the picture, where a story has several")),
        ("{kind}", _("video, photo or carousel")),
        ("{id}", _("TikTok’s ID of the story")),
    ]


def _samples(template: str, now: datetime) -> list[tuple[str, str]]:
    """What is named, and its name by this template, of stories made up for the purpose."""

    def facts(
        kind: str, caption: str, *, hours: int, nickname: str = "Harbour Bakery"
    ) -> NameFacts:
        return NameFacts(
            author="harbour.bakery",
            nickname=nickname,
            caption=caption,
            kind=kind,
            story_id="7412345678901234567",
            posted_at=now - timedelta(hours=hours),
            zone=timezone.get_current_timezone(),
            template=template,
        )

    video = facts("video", "First loaves of the day 🥖", hours=5)
    carousel = facts("carousel", "Open again", hours=4)
    return [
        (_("A video"), story_names.media_name(video, None, ".mp4")),
        (_("Second picture of a carousel"), story_names.media_name(carousel, 2, ".jpg")),
        (
            _("A long caption"),
            story_names.media_name(facts("photo", _LONG_CAPTION, hours=3), None, ".jpg"),
        ),
        (
            _("No caption"),
            story_names.media_name(facts("photo", "", hours=2, nickname=""), None, ".jpg"),
        ),
    ]


def _words_for(refused: TemplateRefused) -> str:
    """What is wrong with a template, in the reader's language."""
    piece = refused.piece
    words = {
        "empty": _("The template is empty."),
        "too_long": _("Too long: %d characters at most.") % name_template.TEMPLATE_LENGTH,
        "brace": _("Unmatched brace: %s") % piece,
        "unknown": _("Unknown placeholder: %s") % piece,
        "limit": _("%s: only author, nickname and caption take a length, from 1 to %d.")
        % (piece, name_template.LONGEST_LIMIT),
        "character": _("A file name cannot contain “%s”.") % piece,
        "invisible": _("Invisible character: %s") % piece,
    }
    return words[refused.fault]
