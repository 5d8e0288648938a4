"""Tiles: a story in the grid of a job's page, with its cover, viewer items and download links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from jobs.models import Role, StoryKind
from jobs.pages.addresses import file_address
from jobs.pages.facts import length
from jobs.pages.folding import cover
from jobs.pages.packed import shareable
from jobs.queries.job_view import ErrorView, FileView, ItemView, MediaView, StoryView
from jobs.queries.titles import display_name
from jobs.states import ItemState
from jobs.text import isolated
from jobs.wording import time_of_day

_SUFFIXES: Final = {
    "video/mp4": "MP4",
    "image/jpeg": "JPG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/avif": "AVIF",
    "image/heic": "HEIC",
    "audio/mp4": "M4A",
    "audio/mpeg": "MP3",
    "application/zip": "ZIP",
}
_ICONS: Final[Mapping[str, str]] = {StoryKind.VIDEO: "play", StoryKind.CAROUSEL: "carousel"}
WARNINGS: Final = frozenset({"hevc", "odd_format", "no_sound", "watermarked"})
"""Labels a tile shows."""
NOTES: Final = frozenset({"joined", "retagged"})
"""Labels that stand beside the downloads: what was done to a file that is as good as any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLink:
    """A link that downloads a file. label: its words; aria_label: for readers without the tile."""

    file: FileView
    label: str
    aria_label: str

    @property
    def address(self) -> str:
        """Where the file is."""
        return file_address(self.file)

    @property
    def kind(self) -> str:
        """What comes, in a word, where its words have no room: `MP4`, `Image`."""
        return _("Image") if self.file.content_type == "image/jpeg" else _suffix(self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerItem:
    """A picture or video in the viewer.

    share: the file for a phone's photo library: the JPEG made from `file`, where there is one.
    """

    file: FileView
    share: FileView
    poster: FileView | None
    download: DownloadLink
    title: str

    @property
    def kind(self) -> str:
        """`video` or `image`."""
        return "video" if self.file.is_video else "image"

    @property
    def address(self) -> str:
        """Where `file` is."""
        return file_address(self.file)

    @property
    def share_address(self) -> str:
        """Where `share` is."""
        return file_address(self.share)

    @property
    def poster_address(self) -> str:
        """Where `poster` is; "" without one."""
        return file_address(self.poster) if self.poster else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A story in the grid.

    cover: the picture to show, None while there is none. badge: its length or number of pictures.
    size_bytes: of its present media files.
    main: the download most likely wanted; more: the others, without those of viewer items where
    there are several.
    labels: of its files, those in WARNINGS; notes: those in NOTES.
    missing: a sentence that names media that were not saved; error: why, unless it was cancelled.
    damaged: a sentence that names media that the disk has not kept, "" for none.
    expires_at: when the first present file is deleted; removed_at: when the last one was, None
    while any is present.
    checked: all its media are here, and each was found to be whole; opened: all are here, and of
    some it is only known that they open. tally: `4/5` where some of its media are here;
    "" where all or none are, and while they come.
    coming: files are still on their way. on_tiktok: TikTok should still have it.
    """

    story: StoryView
    cover: FileView | None
    badge: str
    title: str
    size_bytes: int
    main: DownloadLink | None
    more: tuple[DownloadLink, ...]
    viewer_items: tuple[ViewerItem, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    missing: str
    damaged: str
    error: ErrorView | None
    expires_at: datetime | None
    removed_at: datetime | None
    checked: bool
    opened: bool
    tally: str
    coming: bool
    on_tiktok: bool

    @property
    def badge_icon(self) -> str:
        """The icon beside `badge`."""
        return _ICONS.get(self.story.kind, "photo")

    @property
    def cover_address(self) -> str:
        """Where `cover` is; "" without one."""
        return file_address(self.cover) if self.cover else ""


def present_tile(story: StoryView, item: ItemView, now: datetime) -> Tile:
    """The tile of a story. item: the line it belongs to."""
    media = story.media
    saved = [view.file for view in media if view.file]
    present = [file for file in saved if file.present]
    links = _download_links(story, present)
    coming = story.state == ItemState.QUEUED and item.open
    complete = len(present) == story.media_count > 0
    checked = complete and all(file.checked for file in present)
    some = bool(present) and not complete and not coming
    return Tile(
        story=story,
        cover=cover(story),
        badge=_badge(story, saved),
        title=_title(story),
        size_bytes=sum(file.size_bytes for file in present),
        main=links[0] if links else None,
        more=tuple(link for link in links[1:] if len(present) == 1 or link.file.role != Role.MEDIA),
        viewer_items=_viewer_items(media, story, item, links),
        labels=_labels(present, WARNINGS),
        notes=_labels(present, NOTES),
        missing=_missing(story) if saved and not coming else "",
        damaged=_damaged(story),
        error=None if story.error and story.error.is_cancelled else story.error,
        expires_at=min((file.expires_at for file in present), default=None),
        removed_at=removed_at(story),
        checked=checked,
        opened=complete and not checked,
        tally=f"{len(present)}/{story.media_count}" if some else "",
        coming=coming,
        on_tiktok=story.is_on_tiktok(now),
    )


def removed_at(story: StoryView) -> datetime | None:
    """When the last media file of a story was deleted; None while any is present, or none was."""
    latest: datetime | None = None
    for file in story.files:
        if file.role != Role.MEDIA or not 0 < file.position <= story.media_count:
            continue
        if file.removed_at is None:
            return None
        latest = file.removed_at if latest is None else max(latest, file.removed_at)
    return latest


def _labels(files: Sequence[FileView], wanted: frozenset[str]) -> tuple[str, ...]:
    """The wanted labels of the files, each once."""
    labels = (label for file in files for label in file.labels if label in wanted)
    return tuple(dict.fromkeys(labels))


def _title(story: StoryView) -> str:
    if story.kind == StoryKind.VIDEO:
        return pgettext("a story", "Video")
    if story.kind == StoryKind.PHOTO:
        return pgettext("a story", "Photo")
    return ngettext("%(n)d photo", "%(n)d photos", story.media_count) % {"n": story.media_count}


def _badge(story: StoryView, saved: Sequence[FileView]) -> str:
    if story.kind == StoryKind.CAROUSEL:
        return str(story.media_count)
    seconds = next((file.duration_s for file in saved if file.duration_s is not None), None)
    return "" if seconds is None else length(seconds)


def _missing(story: StoryView) -> str:
    """`4 of 5. Photo 3 did not arrive.`; "" when everything was saved."""
    positions = story.missing
    if not positions:
        return ""
    saved = _("%(saved)d of %(wanted)d") % {"saved": story.saved, "wanted": story.media_count}
    which = ngettext(
        "Photo %(places)s did not arrive", "Photos %(places)s did not arrive", len(positions)
    ) % {"places": ", ".join(map(str, positions))}
    return f"{saved}. {which}."


def _damaged(story: StoryView) -> str:
    """`Photo 3 was damaged on our disk.`; "" for none."""
    positions = story.damaged
    if not positions:
        return ""
    if story.media_count == 1:
        return _("Damaged on our disk.")
    return ngettext(
        "Photo %(places)s was damaged on our disk.",
        "Photos %(places)s were damaged on our disk.",
        len(positions),
    ) % {"places": ", ".join(map(str, positions))}


# --- viewer -------------------------------------------------------------------------------------


def _viewer_items(
    views: Sequence[MediaView], story: StoryView, item: ItemView, links: Sequence[DownloadLink]
) -> tuple[ViewerItem, ...]:
    """The present media of a story. views: all of them; links: at least those of its media."""
    by_file = {link.file.id: link for link in links}
    title = viewer_title(story, item)
    of = f"/{story.media_count}"
    shares = shareable(story)
    return tuple(
        ViewerItem(
            file=media.file,
            share=shares[media.position],
            poster=media.poster if media.poster and media.poster.present else None,
            download=by_file[media.file.id],
            title=f"{title} · {media.position}{of}" if story.media_count > 1 else title,
        )
        for media in views
        if media.file and media.file.present
    )


def viewer_title(story: StoryView, item: ItemView) -> str:
    """`@nora · 2 photos · 14:03`; the place of each picture follows.

    The time is that of posting, which alone tells an account's stories apart for the ear.
    """
    name = isolated(display_name(item.name, item.line))
    return f"{name} · {_title(story)} · {time_of_day(story.posted_at)}"


# --- downloads ----------------------------------------------------------------------------------


def _download_links(story: StoryView, present: Sequence[FileView]) -> list[DownloadLink]:
    """Every download of a story, the most likely one first. present: its media files."""
    several = story.media_count > 1
    posted = time_of_day(story.posted_at)
    links = []
    if several and story.zip and story.zip.present:
        links.append(_link(story.zip, _("Download ZIP"), posted))
    links.extend(_link(file, _media_label(file, several=several), posted) for file in present)
    links.extend(
        _link(file, _extra_label(file, several=several), posted)
        for file in story.files
        if file.present and file.role not in {Role.MEDIA, Role.POSTER, Role.ZIP}
    )
    return links


def _media_label(file: FileView, *, several: bool) -> str:
    if several:
        return _("Image %(n)d") % {"n": file.position}
    if file.is_video:
        return _("Download MP4")
    if file.content_type == "image/jpeg":
        return _("Download image")
    return _("Download %(kind)s") % {"kind": _suffix(file)}


def _extra_label(file: FileView, *, several: bool) -> str:
    if file.role == Role.CONVERTED:
        return _("Image %(n)d as JPG") % {"n": file.position} if several else _("Image as JPG")
    kind = _("Attached song") if file.role == Role.ATTACHED_SONG else _("Sound")
    return f"{kind}, {_suffix(file)}"


def _link(file: FileView, label: str, posted: str) -> DownloadLink:
    """posted: the time of day its story was posted at, where the reader is."""
    aria_label = _("%(what)s, posted %(time)s") % {"what": label, "time": posted}
    return DownloadLink(file=file, label=label, aria_label=aria_label)


def _suffix(file: FileView) -> str:
    return _SUFFIXES.get(file.content_type, file.content_type.rpartition("/")[2].upper())
