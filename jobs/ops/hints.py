"""What to do about what the checks find, by the reasons that `readiness` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr

PROXY_HINT: Final = _("Is the proxy running, and is STORYKEEP_PROXY right?")
NTP_HINT: Final = _("Have the machine set its clock over the network (NTP).")
REDIS_HINTS: Final[Mapping[str, LazyStr]] = {
    "away": _("Is Storykeep running (`manage.py up`), or is STORYKEEP_REDIS_URL wrong?"),
    "password": _("Is the password in STORYKEEP_REDIS_URL right?"),
    "loading": _("It has just started. Wait a moment."),
    "read_only": _("It is a replica. STORYKEEP_REDIS_URL has to name the primary."),
    "no_snapshot": _("Is the disk of Redis full, or its folder gone?"),
    "full": _("Its memory is full. Raise its maxmemory, or let nothing else use it."),
    "refuses": _("Look at its settings, such as `min-replicas-to-write`, and at its ACL rules."),
}
"""Hints by the reason `readiness.redis` gives."""
DATABASE_HINTS: Final[Mapping[str, LazyStr]] = {
    "busy": _("Something holds it, such as a backup. If that lasts, end what holds it."),
    "read_only": _("Is it a replica, or are its file and folder read-only?"),
    "full": _("Make room on its disk."),
    "away": _("Is it running, and is STORYKEEP_DATA_DIR or STORYKEEP_DATABASE_URL right?"),
}
"""Hints by the reason `readiness.database` gives."""
DISK_WORDS: Final[Mapping[str, tuple[LazyStr, LazyStr]]] = {
    "not_mounted": (
        _("this is not the folder the saved files are in"),
        _(
            "Is its disk mounted, and is the database the right one? If you emptied or changed the "
            "folder on purpose, put an empty file named .storykeep into it: files there that the "
            "database does not know are deleted then."
        ),
    ),
    "no_more_files": (
        _("no file can be written, although there is free space"),
        _("Has the disk no inodes left (`df -i`), or is there a quota?"),
    ),
    "not_writable": (
        _("no file can be written"),
        _("Is the disk read-only or broken, or does the folder belong to somebody else?"),
    ),
    "store_away": (
        _("the object store cannot be reached"),
        _("Is it running, and are STORYKEEP_ARTIFACT_STORE and …_ENDPOINT right?"),
    ),
    "store_refuses": (
        _("the object store refuses our key"),
        _("Are key id, secret key and the clock right, and may the key read and write there?"),
    ),
    "store_missing": (
        _("there is no such bucket in the object store"),
        _("Make it, or give STORYKEEP_ARTIFACT_STORE the name of the one there is."),
    ),
    "store_full": (_("the object store is full"), _("Make room there, or raise its quota.")),
    "store_is_another": (
        _("this is not the bucket the saved files are in"),
        _(
            "Are the database and the prefix in STORYKEEP_ARTIFACT_STORE the right ones? If you "
            "changed them on purpose, put an empty object named .storykeep there: files there that "
            "the database does not know are deleted then."
        ),
    ),
}
"""Messages and hints by the reason `readiness.artifact_disk` gives; "full" is said with numbers."""
