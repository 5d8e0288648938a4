"""Lines of a job's page as HTML: rendered once, kept, and sent to those who do not hold them yet.

Everything that a line shows goes into a short tag. A page has the tags of its lines and tiles; its
poll names those it holds, and is answered with an empty element, `data-same`, in the place of each
that still looks like that. HTML that is kept holds no secret: the forms of a job are one form with
one CSRF token in its head, and the buttons in its lines name that form.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final
from uuid import UUID

from django.http import HttpRequest
from django.template import Context
from django.template.loader import get_template
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from jobs.library import shown
from jobs.library.shown import Kept
from jobs.models import CopyState
from jobs.pages import contact_sheet, facts
from jobs.pages.presenter import JobPage, PresentedLine
from jobs.pages.tiles import present_tile
from jobs.pages.wish import Wish
from jobs.queries.fingerprint import SHAPE
from jobs.queries.job_view import StoryView
from jobs.queries.kept import KeptAnswers
from jobs.templatetags.rings import ring_bucket, ring_state

HELD_HEADER: Final = "Storykeep-Holds"
"""Request header of a poll: tags of the lines and tiles the page has, separated by spaces."""
MAX_HEROES: Final = 2
"""Stories of a job that are few enough for a player beside its facts, instead of a tile."""
MAX_HELD: Final = 2000
"""Tags that are read of that header, at most."""
_TAG: Final = re.compile(r"[\w-]{10}")
_DIGEST_BYTES: Final = 7  # ten letters; of one page's lines no two are alike by chance

KEPT_BYTES: Final = 6 * 1024 * 1024
"""Bytes of lines and tiles that this process keeps: some sixteen jobs of twenty accounts."""
_kept: Final = KeptAnswers(KEPT_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What HTML depends on beside the job. day: the date where the reader is, for "yesterday".

    prefix: where the site lies below its host. library: how far the job's stories have come in the
    library, each after TikTok's id; None where the reader is not offered to keep any. library_away:
    its disk is, so what is not there yet waits.
    """

    user_id: str
    language: str
    zone: str
    day: str
    prefix: str
    library: tuple[tuple[str, Kept], ...] | None = None
    library_away: bool = False

    @classmethod
    def of(cls, request: HttpRequest, job_id: UUID | None = None) -> Reader:
        """The person who asked, with the language and the time zone active now.

        job_id: of the job whose page it is, for what the library has of it.
        """
        found = shown.of_job(int(request.user.pk or 0), job_id) if job_id else None
        return cls(
            library=None if found is None else tuple(found.items()),
            library_away=_is_any_waiting(found) and shown.is_away(),
            user_id=str(request.user.pk),
            language=get_language() or "",
            zone=str(timezone.get_current_timezone()),
            day=timezone.localdate().isoformat(),
            prefix=get_script_prefix(),
        )

    @property
    def is_copying(self) -> bool:
        """Whether something of the job is on its way to the library."""
        return not self.library_away and _is_any_waiting(dict(self.library or ()))


def _is_any_waiting(found: Mapping[str, Kept] | None) -> bool:
    return any(kept.state == CopyState.WAITING for kept in (found or {}).values())


def held_tags(request: HttpRequest) -> frozenset[str]:
    """The tags of lines and tiles the page says it has."""
    words = request.headers.get(HELD_HEADER, "").split(maxsplit=MAX_HELD)
    return frozenset(word for word in words if _TAG.fullmatch(word))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRenderer:
    """Makes the HTML of a page's lines for one reader.

    digests: of everything a line's snapshot shows, by its id. held: tags the reader has already.
    wish: what is asked for, and found: no state without lines, no position of none.
    """

    page: JobPage
    reader: Reader
    digests: Mapping[UUID, str]
    held: frozenset[str] = frozenset()
    wish: Wish = field(default_factory=Wish)

    def lines(self) -> list[SafeString]:
        """Every line that is shown, in order: its HTML, or an empty element when it is held."""
        lines = self.page.shown_lines
        if self.wish.leaving:
            lines = contact_sheet.leaving_first(lines)
        return [self._line(line) for line in lines]

    @property
    def rows(self) -> bool:
        """Whether lines are rows."""
        return self.wish.has_rows(len(self.page.lines))

    @property
    def heroes(self) -> bool:
        """Whether stories are so few that each gets much room."""
        return len(self.page.job.stories) <= MAX_HEROES

    def _line(self, line: PresentedLine) -> SafeString:
        tag = self._line_tag(line)
        if tag in self.held:
            return format_html('<section id="line-{}" data-same></section>', line.item.id)
        if self.held or line.item.open:  # of its tiles, some may be held; and it changes soon
            return self._assembled(line, tag)
        return self._kept("line", line.item.id, tag, lambda: self._assembled(line, tag))

    def _assembled(self, line: PresentedLine, tag: str) -> SafeString:
        place = line.item.position
        opened = place in self.wish.opened
        others = frozenset() if self.rows else self.wish.opened
        query = replace(
            self.wish, opened=others - {place} if opened else frozenset({place})
        ).query()
        address = f"{reverse('job', args=[self.page.job.id])}{query}#line-{line.item.id}"
        shown = line.stories if opened or not self.rows else ()
        return _render(
            "jobs/_row.html" if self.rows else "jobs/_line.html",
            line=line,
            item=line.item,
            tag=tag,
            tiles=[self._tile(story, line) for story in shown],
            fold_address=address,
            opened=opened,
            job_id=self.page.job.id,
            row=contact_sheet.row_of(line),
            alone=self.heroes and len(self.page.lines) == 1,
        )

    def _tile(self, story: StoryView, line: PresentedLine) -> SafeString:
        left = ring_bucket(story.leaves_at, line.now)
        item = line.item
        alone = self.heroes and len(self.page.job.stories) == 1
        tag = _tag(self.reader, story, left, item.name, item.line, item.open, self.heroes, alone)
        if tag in self.held:
            return format_html('<li id="story-{}" data-same></li>', story.id)
        return self._kept(
            "tile",
            story.id,
            tag,
            lambda: self._made(story, line, tag, alone=alone),
        )

    def _made(self, story: StoryView, line: PresentedLine, tag: str, *, alone: bool) -> SafeString:
        """alone: no other story is in the job."""
        tile = present_tile(story, line.item, line.now)
        saved = [viewer_item.file for viewer_item in tile.viewer_items]
        return _render(
            "jobs/_hero.html" if self.heroes else "jobs/_tile.html",
            tile=tile,
            tag=tag,
            place=line.item.position,
            spoken=contact_sheet.spoken(story, line.item, tile),
            leaving=ring_state(story.leaves_at, line.now),
            facts=facts.facts_of(saved[0]) if len(saved) == 1 else (),
            alone=alone,
            keep_offer=self._keep_offer(story),
        )

    def _keep_offer(self, story: StoryView) -> str:
        """What is said of a story and the library: `offer` to keep it, that it is `kept`,
        `waiting`, or waiting while the library is `away`, or "" for nothing."""
        if self.reader.library is None:
            return ""
        kept = dict(self.reader.library).get(story.tiktok_id)
        if kept is None or kept.files < story.saved or kept.state == CopyState.FAILED:
            return "offer"
        if kept.state == CopyState.KEPT:
            return "kept"
        return "away" if self.reader.library_away else "waiting"

    def _kept(
        self, kind: str, row_id: UUID, tag: str, make: Callable[[], SafeString]
    ) -> SafeString:
        """The HTML kept for this reader under the tag, else that of `make`, kept from now on."""
        key = (kind, row_id, replace(self.reader, library=None))
        kept = _kept.get(key, tag)
        if kept is not None:
            return mark_safe(kept.decode())  # nosec B308 B703  # a template of ours made it
        made = make()
        _kept.put(key, tag, made.encode())
        return made

    def _line_tag(self, line: PresentedLine) -> str:
        """A tag of everything the line shows. What its snapshot holds is in its digest; the rest
        depends on the lines beside it, on the reader and on the time."""
        error = line.item.error
        passed = bool(error and error.retry_at and error.retry_at <= line.now)
        left = [ring_bucket(story.leaves_at, line.now) for story in line.item.stories]
        opened = line.item.position in self.wish.opened
        beside = (line.among, line.hint, line.left_out, line.opened, opened, self.wish)
        digest = self.digests[line.item.id]
        return _tag(self.reader, digest, line.summary, passed, left, beside)


def _tag(*parts: object) -> str:
    content = repr((SHAPE, *parts)).encode(errors="replace")
    return urlsafe_b64encode(blake2b(content, digest_size=_DIGEST_BYTES).digest())[:10].decode()


def _render(template: str, **context: object) -> SafeString:
    # Without a request: its context processors would run for each tile, and what is kept must not
    # know who asked.
    html: SafeString = get_template(template).template.render(Context(context))  # type: ignore[attr-defined]
    return html
