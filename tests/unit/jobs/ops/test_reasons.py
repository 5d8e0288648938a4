"""Why a line waits or failed: what happened, what to try, whether and when a retry helps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from jobs.errors import BY_CODE, message_and_hint
from jobs.models import Item, Package, PackageState, Story
from jobs.ops import reasons
from jobs.states import ItemState

S = ItemState
NOW = timezone.now()
SOON = NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("state", "code", "not_before", "retry", "timed"),
    [
        (S.FAILED, "upstream_down", None, "A retry can help.", False),
        (S.PARTIAL, "media_unavailable", None, "A retry can help.", False),
        (S.FAILED, "private_account", None, "A retry does not help.", False),
        (S.EMPTY, "gone", None, "A retry does not help.", False),
        (S.QUEUED, "refused", SOON, "", True),
        (S.QUEUED, "refused", NOW - timedelta(1), "It tries again by itself soon.", False),
        (S.QUEUED, "upstream_down", None, "It tries again by itself soon.", False),
        (S.RUNNING, "upstream_down", SOON, "Another attempt is running.", False),
        (S.CANCELLED, "cancelled", SOON, "It was cancelled; send the link again to try it.", False),
    ],
)
def test_whether_and_when_a_retry_helps(
    state: str, code: str, not_before: datetime | None, retry: str, *, timed: bool
) -> None:
    reason = reasons.of_item(Item(state=state, error_code=code, not_before=not_before), NOW)
    assert reason is not None
    assert (reason.code, reason.retry) == (code, retry)
    assert reason.next_at == (SOON if timed else None)


@pytest.mark.parametrize(
    ("row", "retry"),
    [
        (Story(state=S.FAILED, error_code="media_corrupt"), "A retry can help."),
        (Story(state=S.FAILED, error_code="too_large"), "A retry does not help."),
        (Package(state=PackageState.FAILED, error_code="disk_full"), "A retry can help."),
        (Package(state=PackageState.QUEUED, error_code="internal"), "It tries again by itself"),
    ],
)
def test_a_story_and_a_zip_tell_theirs(row: Story | Package, retry: str) -> None:
    def told() -> reasons.Reason | None:
        return reasons.of_story(row) if isinstance(row, Story) else reasons.of_package(row)

    reason = told()
    assert reason is not None
    assert (reason.message, reason.hint) == message_and_hint(row.error_code)
    assert reason.retry.startswith(retry)
    row.error_code = ""
    assert told() is None


def test_every_code_has_a_reason_and_no_code_has_none() -> None:
    for code, kind in BY_CODE.items():
        reason = reasons.of_item(Item(state=S.FAILED, error_code=code), NOW)
        assert reason is not None
        assert (reason.message, reason.hint) == (kind.message, kind.hint or "")
        assert ("does not" in reason.retry) is not kind.retryable
    assert reasons.of_item(Item(state=S.FAILED, error_code=""), NOW) is None
