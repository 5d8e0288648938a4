"""Failures of backing up and restoring, each with words for whoever asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class BackupFailed(Exception):
    """There is no backup. str() says why; reason: a name for logs and for what is kept of it.

    reason: `busy`, `no_room`, `no_tool`, `old_tool`, `database`, `disk`.
    """

    def __init__(self, reason: str, words: str | _StrPromise) -> None:
        super().__init__(words)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class RestoreRefused(Exception):
    """Nothing was restored, and nothing was changed. str() says why.

    reason: `foreign`, `damaged`, `truncated`, `newer`, `older_form`, `passphrase`, `other_kind`,
    `not_empty`, `running`, `no_room`, `no_tool`, `database`, `disk`.
    """

    def __init__(self, reason: str, words: str | _StrPromise) -> None:
        super().__init__(words)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


def busy() -> BackupFailed:
    """Another one is made at this moment."""
    return BackupFailed("busy", _("A backup is being made already. Try again in a minute."))


def foreign() -> RestoreRefused:
    """The file is no backup of ours."""
    return RestoreRefused("foreign", _("This file is not a Storykeep backup."))


def damaged(what: str) -> RestoreRefused:
    """The file is not what it was when it was made. what: the part of it, as its file is named."""
    words = _("This backup is damaged: %(what)s was changed.") % {"what": what}
    return RestoreRefused("damaged", words)


def truncated() -> RestoreRefused:
    """The file ends too early."""
    words = _("This backup is cut short: its end is missing. Copy or download it again.")
    return RestoreRefused("truncated", words)


def older_form() -> RestoreRefused:
    """The file was made before there was a manifest, and is restored by hand."""
    words = _(
        "This backup was made by an earlier Storykeep: unpack it, and follow its RESTORE.txt."
    )
    return RestoreRefused("older_form", words)


def newer(version: str) -> RestoreRefused:
    """The file was made by a version that this one does not know."""
    words = _("This backup was made by Storykeep %(version)s, which is newer. Upgrade first.")
    return RestoreRefused("newer", words % {"version": version})


def wrong_passphrase() -> RestoreRefused:
    """The key in the file does not open."""
    words = _("The passphrase is wrong, or the backup was changed.")
    return RestoreRefused("passphrase", words)
