"""The list of watches in the admin: what it tells, and what it keeps to itself."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from jobs.models import Watch, WatchGap, WatchState
from jobs.watching import permission
from tests.factories import make_user
from tests.unit.jobs.admin.browse import choose_action, run_action
from tests.unit.jobs.pages.pages import shown
from tests.watched import DAY, HOUR, make_find, make_watch

pytestmark = pytest.mark.django_db
LIST = "/admin/jobs/watch/"
SECRETS = ("secret.bakery", "Secret nickname", "7999111", "secret note", "7400000000000000001")


@pytest.fixture
def watch() -> Watch:
    return make_watch(
        make_user("alice"), "secret.bakery", nickname="Secret nickname", tiktok_id="7999111",
        note="secret note", seen=["7400000000000000001"],
    )  # fmt: skip


def test_the_list_tells_states_and_holes_and_no_names(browser: Client, watch: Watch) -> None:
    now = timezone.now()
    WatchGap.objects.create(watch=watch, begins_at=now - DAY, ends_at=now - HOUR)
    WatchGap.objects.create(watch=watch, begins_at=now - 20 * DAY, ends_at=now - 19 * DAY)
    Watch.objects.update(covered_until=now - 25 * HOUR)
    page = shown(browser.get(LIST))
    assert '<td class="field-holes">2</td>' in page
    assert "6\u00a0hours" in page or "6 hours" in page
    assert "•••" in page
    row = shown(browser.get(f"{LIST}{watch.pk}/change/"))
    for secret in SECRETS:
        assert secret not in page
        assert secret not in row


def test_what_goes_wrong_stands_before_whose_it_is(browser: Client, watch: Watch) -> None:
    row = shown(browser.get(LIST)).partition("<tbody>")[2]
    columns = re.findall(r'class="field-(\w+)', row)
    assert columns[:4] == ["short_id", "whom_column", "standing", "holes"]
    assert columns[-1] == "owner"


def test_while_all_watching_is_paused_no_watch_is_said_to_be_looked_at(
    browser: Client, watch: Watch
) -> None:
    make_watch(watch.owner, "gone.bakery", state=WatchState.ENDED, next_at=None)
    assert browser.get(LIST).content.count(b"<time") > 2
    page = shown(browser.get(LIST))
    assert '<td class="field-standing">watching</td>' in page
    permission.set_paused(paused=True)
    page = shown(browser.get(LIST))
    assert page.count('<td class="field-standing">paused by an admin</td>') == 1
    assert page.count('<td class="field-standing">ended</td>') == 1
    assert page.count('<td class="field-next_look">–</td>') == 2


def test_my_own_are_not_masked(browser: Client, boss: User) -> None:
    make_watch(boss, "mine.bakery")
    assert "@mine.bakery" in shown(browser.get(LIST))


def test_names_are_shown_where_the_instance_says_so(
    browser: Client, watch: Watch, set_env: Callable[..., None]
) -> None:
    set_env(show_targets=True)
    assert "@secret.bakery" in shown(browser.get(LIST))
    row = shown(browser.get(f"{LIST}{watch.pk}/change/"))
    assert "@secret.bakery" in row
    assert "secret note" in row


def test_a_row_is_revealed_on_its_own_page_and_that_is_logged(
    browser: Client, watch: Watch
) -> None:
    page = shown(browser.post(f"{LIST}{watch.pk}/reveal/", follow=True))
    assert "@secret.bakery" in page
    assert "secret.bakery" not in shown(browser.get(LIST))
    assert LogEntry.objects.get().change_message == "Revealed what was fetched."


@pytest.mark.parametrize(
    "query",
    [
        "account__name=secret.bakery",
        "account__name__startswith=s",
        "account__nickname__contains=S",
        "account__tiktok_id=7999111",
        "account__exact=1",
        "note__contains=secret",
        "seen__contains=7400000000000000001",
        "o=2",
    ],
)
def test_no_filter_and_no_order_answers_a_guess(browser: Client, watch: Watch, query: str) -> None:
    other = make_watch(make_user("bob"), "another")
    right, wrong = (browser.get(f"{LIST}?{query}{more}") for more in ("", "x"))
    assert right.status_code == wrong.status_code
    if right.status_code == 200:
        page = shown(right)
        assert page.index(str(other.pk)[:8]) < page.index(str(watch.pk)[:8])


def test_no_filter_of_lines_tells_what_a_look_found(browser: Client) -> None:
    job = make_find(make_user("alice"))
    assert job.items.get().only_ids
    assert browser.get("/admin/jobs/item/?only_ids__contains=74").status_code != 200


def test_a_search_by_name_finds_ones_own_alone_without_the_right_to_reveal(watch: Watch) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_watch"))
    browser = Client()
    browser.force_login(clerk)
    mine = make_watch(clerk, "secret.bakery")
    page = shown(browser.get(f"{LIST}?q=secret.bakery"))
    assert str(mine.pk) in page
    assert str(watch.pk) not in page


def test_chosen_ones_are_paused_after_a_question(browser: Client, watch: Watch) -> None:
    rests = make_watch(make_user("bob"), "rests", state=WatchState.PAUSED, next_at=None)
    assert "1 watch will rest" in choose_action(browser, "watch", "pause", watch.pk, rests.pk)
    watch.refresh_from_db()
    assert watch.state == WatchState.ACTIVE
    assert "1 watch paused." in run_action(browser, "watch", "pause", watch.pk, rests.pk)
    watch.refresh_from_db()
    assert watch.state == WatchState.PAUSED
    assert "nothing left to do" in run_action(browser, "watch", "pause", watch.pk)


def test_the_overview_has_a_line_on_watching(
    browser: Client, watch: Watch, set_env: Callable[..., None]
) -> None:
    Watch.objects.update(covered_until=timezone.now() - 2 * DAY)
    page = shown(browser.get("/admin/"))
    assert "1 watch, 1 with gaps this week, 4 looks a day" in page
    set_env(watches="off")
    assert "gaps this week" not in shown(browser.get("/admin/"))
