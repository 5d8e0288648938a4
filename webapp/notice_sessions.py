"""Push messages end with the session of the browser that takes them.

Not with one that merely ran out: whoever watches accounts need not open the site each month.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from notices.models import PushSubscription

SUBSCRIPTION: Final = "push_subscription"
"""Key in a session: the id of the subscription of its browser."""


class PushSessions:
    """A listener of `accounts.ended_sessions`."""

    def session_ended(self, data: Mapping[str, Any]) -> None:
        """Remove the subscription of that browser."""
        which = data.get(SUBSCRIPTION)
        if isinstance(which, int):
            owner_id = str(data.get("_auth_user_id", ""))
            if owner_id.isdigit():  # else somebody else's by now, who signed in there
                PushSubscription.objects.filter(pk=which, owner_id=int(owner_id)).delete()

    def all_ended(self, user_id: int) -> None:
        """Remove every subscription of a person."""
        PushSubscription.objects.filter(owner_id=user_id).delete()
