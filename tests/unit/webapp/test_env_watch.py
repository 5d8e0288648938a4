"""Settings of watched accounts: what they are unless said otherwise, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from webapp.env import BadSettings, load


def test_admins_may_watch_and_what_is_found_is_kept_three_days(
    setting: pytest.MonkeyPatch,
) -> None:
    assert (load().watches, load().watch_keep) == ("admins", timedelta(days=3))
    assert load().watch_every_min == timedelta(hours=3)
    assert (load().watches_per_member, load().watches_max) == (5, 50)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WATCHES", "everyone", "members"),
        ("WATCH_EVERY_MIN", "59m", "between 1h and 12h"),
        ("WATCH_EVERY_MIN", "13h", "between 1h and 12h"),
        ("WATCH_KEEP", "0s", "longer than 0"),
        ("WATCH_KEEP", "31d", "30d at most"),
        ("WATCHES_PER_MEMBER", "0", "greater"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    setting: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    setting.setenv(f"STORYKEEP_{name}", value)
    with pytest.raises(BadSettings) as caught:
        load()
    assert str(caught.value).startswith(f"STORYKEEP_{name}")
    assert words in str(caught.value)
