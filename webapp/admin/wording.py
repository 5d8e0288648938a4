"""Words that several of the pages about people say."""

from __future__ import annotations

from django.utils.translation import gettext as _


def last_admin_refusal() -> str:
    """The reason the only admin can be neither demoted, blocked nor deleted."""
    return _("This is the only admin, and someone has to run this instance.")
