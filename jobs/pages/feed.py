"""An Atom feed of one's saved stories at a secret address, and the page that switches it on.

It says what was saved and links to its page, for which one signs in: no picture, no video and no
address of TikTok's media is in it. Off until its owner asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from jobs.models import Story
from jobs.pages.responses import uncached
from jobs.queries import feed as feeds
from jobs.text import clean_text

_CAPTION_LENGTH: Final = 2000
_NO_CHARACTERS: Final = dict.fromkeys((0xFFFE, 0xFFFF))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def feed_settings(request: HttpRequest) -> HttpResponse:
    """Whether the user has a feed. A POST switches it `on`, at a new address each time, or `off`.
    The address is shown once, in the response."""
    owner_id = int(request.user.pk or 0)
    address = None
    if request.method == "POST" and "off" in request.POST:
        feeds.switch_off(owner_id)
        messages.success(request, _("The feed is off."))
        return redirect("feed_settings")
    if request.method == "POST":
        path = reverse("feed", args=[feeds.renew(owner_id)])
        address = settings.STORYKEEP.absolute_url_for(request, path)
    context = {"address": address, "row": feeds.address_of(owner_id)}
    return uncached(render(request, "jobs/feed.html", context))


@require_safe
def feed(request: HttpRequest, secret: str) -> HttpResponseBase:
    """The feed of whoever owns this secret; 404 for any other. 304 by `ETag`.

    Not by a date: that of the newest story goes back when it is forgotten, and whoever asked by it
    would keep what is gone.
    """
    reader = feeds.reader_of(secret)
    if reader is None:
        return _nothing_here()
    stories = feeds.saved_stories(reader.pk)
    address = settings.STORYKEEP.absolute_url_for(request, request.get_full_path())
    changed_at = max((_changed_at(story) for story in stories), default=reader.date_joined)
    body = _written(request, reader, stories, address, changed_at)
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {
        "Content-Type": "application/atom+xml; charset=utf-8",
        "ETag": etag,
        "Cache-Control": "private, max-age=300",
        "X-Robots-Tag": "noindex",
    }
    response = HttpResponse(body, headers=headers)
    return get_conditional_response(request, etag, None, response) or response


def _nothing_here() -> HttpResponse:
    response = HttpResponseNotFound(b"There is no such feed.\n", content_type="text/plain")
    response.headers["Cache-Control"] = "no-store"
    return response


def _changed_at(story: Story) -> datetime:
    return story.captured_at or story.posted_at


class _Feed(Atom1Feed):
    """A feed that tells when it changed, also while nothing is in it."""

    def latest_post_date(self) -> datetime:
        """When it changed; the library has it change all the time while nothing is in it."""
        changed_at: datetime = self.feed["changed_at"]
        return changed_at


def _written(
    request: HttpRequest,
    reader: User,
    stories: Sequence[Story],
    address: str,
    changed_at: datetime,
) -> bytes:
    home = settings.STORYKEEP.absolute_url_for(request, reverse("home"))
    document = _Feed(
        changed_at=changed_at,
        title=_("Saved stories of %s") % _writable(reader.get_username(), 150),
        link=home,
        description=None,
        language=get_language() or "en",
        feed_url=address,
        # The address is no name of it: a new one is the same feed.
        feed_guid=f"tag:storykeep,2026:feed:{reader.pk}:{int(reader.date_joined.timestamp())}",
    )
    for story in stories:
        author = _writable(story.item.author_name, 64) or "?"
        page = reverse("job", args=[story.item.job_id])
        document.add_item(
            title=_title(story, author),
            link=settings.STORYKEEP.absolute_url_for(request, page),
            description=_writable(story.caption, _CAPTION_LENGTH),
            unique_id=f"urn:uuid:{story.pk}",
            author_name=_writable(story.item.author_nickname, 200) or author,
            author_link=f"https://www.tiktok.com/@{author}",
            pubdate=story.posted_at,
            updateddate=_changed_at(story),
            categories=[story.kind],
        )
    return document.writeString("utf-8").encode()


def _writable(text: str, limit: int) -> str:
    """A text without what XML cannot hold: controls, and the two code points that are none."""
    return clean_text(text, limit, multiline=True).translate(_NO_CHARACTERS)


def _title(story: Story, author: str) -> str:
    words = {
        "video": _("@%s: a video"),
        "photo": _("@%s: a photo"),
        "carousel": _("@%s: several photos"),
    }
    return words.get(story.kind, "@%s") % author
