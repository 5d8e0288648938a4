"""Keeping stories for good: the button of a story, and the page where a member says how."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from jobs import library_words
from jobs.files import library_folder
from jobs.library import choices, shown, wanted
from jobs.library.choices import KeyRefused
from jobs.models import LibraryChoice, LibraryMode, Story
from jobs.pages import folding
from jobs.pages.responses import uncached


@login_required
@require_POST
def story_keep(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """Keep a story's files for good; then redirect to it. 404 for a story of another user, and
    where nothing is offered."""
    stories = Story.objects.visible_to(request.user).select_related("item")
    story = get_object_or_404(stories, pk=story_id)
    if not choices.is_offered(story.owner_id):
        raise Http404
    count = wanted.keep_story(story)
    if count and shown.is_away():
        messages.success(request, _("It is copied once the library’s disk is there."))
    elif count:
        said = ngettext(
            "%(n)d file is being copied to the library.",
            "%(n)d files are being copied to the library.",
            count,
        )
        messages.success(request, said % {"n": count})
    else:
        messages.info(request, _("There is nothing new here for the library."))
    return redirect(folding.story_address(story))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def library_settings(request: HttpRequest) -> HttpResponse:
    """What the user wants kept for good, and their key for Immich; 404 without a library.

    A POST with `mode` keeps the choice; with `key` or `album` those for Immich, or with `forget`
    removes the key. 422 for what cannot be a key. The key is never shown again.
    """
    if not library_folder.is_set():
        raise Http404
    owner_id = int(request.user.pk or 0)
    if request.method != "POST":
        return _page(request, owner_id)
    mode = request.POST.get("mode", "")
    if mode in LibraryMode.values:
        choices.choose(owner_id, LibraryMode(mode))
    elif "forget" in request.POST:
        choices.remove_key(owner_id)
    elif settings.STORYKEEP.immich_url:
        choices.set_album(owner_id, request.POST.get("album", ""))
        key = request.POST.get("key", "")
        if key.strip():
            try:
                choices.set_key(owner_id, key)
            except KeyRefused:
                wrong = _("This does not look like an Immich API key.")
                return _page(request, owner_id, wrong=wrong, status=422)
    if mode == LibraryMode.NEVER and shown.numbers(owner_id).waiting:
        # Nobody knows of a row whether it was chosen by hand.
        said = _("Saved. What is on its way to the library already still arrives.")
        messages.success(request, said)
    else:
        messages.success(request, _("Saved."))
    return redirect("library_settings")


def _is_offered(mode: LibraryMode, choice: LibraryChoice) -> bool:
    """Whether a choice makes sense here: of watches nothing comes where nobody may watch."""
    is_off = mode == LibraryMode.WATCHES and settings.STORYKEEP.watches == "off"
    return not is_off or choice.mode == mode


def _page(
    request: HttpRequest, owner_id: int, *, wrong: str = "", status: int = 200
) -> HttpResponse:
    choice = choices.choice_of(owner_id)
    context = {
        "choice": choice,
        "modes": [(mode.value, mode.label) for mode in LibraryMode if _is_offered(mode, choice)],
        "numbers": shown.numbers(owner_id),
        "immich": settings.STORYKEEP.immich_url is not None,
        "has_key": bool(choice.immich_key),
        "immich_error": library_words.words(choice.immich_error),
        "album_length": choices.ALBUM_LENGTH,
        "key_length": choices.KEY_LENGTH,
        "wrong": wrong,
    }
    return uncached(render(request, "jobs/library.html", context, status=status))
