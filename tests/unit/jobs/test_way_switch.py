"""A switch outlives the account of whoever used it."""

from __future__ import annotations

import pytest

from jobs.models import WaySwitch
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_it_stays_as_it_was_without_the_admin() -> None:
    root = make_user("root")
    WaySwitch.objects.create(name="browser", off=True, changed_by=root)
    root.delete()
    switch = WaySwitch.objects.get()
    assert (switch.off, switch.changed_by) == (True, None)


@pytest.mark.parametrize(("off", "said"), [(True, "browser: off"), (False, "browser: on")])
def test_it_says_what_it_is(off: bool, said: str) -> None:
    assert str(WaySwitch(name="browser", off=off)) == said
