"""Nothing in the admin tells what people fetched, unless the instance is set to show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import models
from django.test import Client

from jobs.admin import masking
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

SECRETS = ("harbour.bakery", "Harbour Bakery", "why I keep", "First loaves", "6812345678901234567",
           "7441111111111111111", "ab12cd34", "my-key")  # fmt: skip
TABLES = {"job": Job, "item": Item, "story": Story, "artifact": Artifact, "package": Package}


@pytest.fixture
def rows() -> Item:
    """One of everything, full of what is nobody's business."""
    job = make_job(make_user("alice"), note="why I keep this", idempotency_key="my-key")
    item = make_item(
        job,
        name="harbour.bakery",
        state=ItemState.PARTIAL,
        error_code="upstream_down",
        error_detail="www.tiktok.com/@harbour.bakery: status 503 for Harbour.Bakery",
        author_id="6812345678901234567",
        author_name="harbour.bakery",
        author_nickname="Harbour Bakery",
    )
    story = make_story(
        item,
        tiktok_id="7441111111111111111",
        caption="First loaves",
        source_url="https://www.tiktok.com/@harbour.bakery/photo/7441111111111111111",
        error_code="media_unavailable",
        error_detail="7441111111111111111 of harbour.bakery: status 403",
    )
    make_artifact(story, name="harbour.bakery_2026-11-20_1403_01.jpg", sha256="ab12cd34" * 8)
    Package.objects.create(job=job, owner=job.owner, error_code="internal")
    return item


def pages(browser: Client) -> dict[str, str]:
    """Every list, every detail and every history."""
    found = {}
    for table, model in TABLES.items():
        row = model._default_manager.get()
        for address in (
            f"/admin/jobs/{table}/",
            f"/admin/jobs/{table}/{row.pk}/change/",
            f"/admin/jobs/{table}/{row.pk}/history/",
        ):
            answer = browser.get(address)
            assert answer.status_code == 200
            found[address] = answer.content.decode()
    return found


def test_everything_is_masked(browser: Client, rows: Item) -> None:
    assert not masking.targets_shown()
    found = pages(browser)
    for address, page in found.items():
        for secret in SECRETS:
            assert secret.lower() not in page.lower(), (address, secret)
    detail = found[f"/admin/jobs/item/{rows.pk}/change/"]
    assert "upstream_down" in detail
    assert "www.tiktok.com/@•••: status 503" in detail
    assert "What was fetched is masked." in detail
    assert "TikTok" in detail  # and the reason is not masked


def test_an_instance_may_show_it(browser: Client, rows: Item, set_env: Callable[..., None]) -> None:
    set_env(show_targets=True)
    together = "".join(pages(browser).values())
    for secret in set(SECRETS) - {"my-key"}:  # which serves the code alone
        assert secret in together
    assert "What was fetched is masked." not in together
    assert "harbour.bakery" in browser.get("/admin/jobs/item/").content.decode()
    for query in ("q=harbour", "author_name=harbour.bakery"):
        assert str(rows.pk) in browser.get(f"/admin/jobs/item/?{query}").content.decode()
    for table, model in TABLES.items():
        if model is not Package:
            page = browser.get(f"/admin/jobs/{table}/?q=harbour.bakery").content.decode()
            assert page.count(f"{model._default_manager.get().pk}/change/") == 1, table


@pytest.mark.parametrize(
    "address",
    [
        "item/?line__startswith=@harb", "item/?author_name=harbour.bakery", "item/?key__contains=a",
        "item/?target__name=harbour.bakery", "item/?error_detail__contains=a",
        "item/?job__note__contains=why", "story/?caption__contains=loaves",
        "story/?item__line__contains=a", "artifact/?name__contains=a",
        "artifact/?story__caption__contains=a", "job/?note__contains=why",
    ],
)  # fmt: skip
def test_a_filter_tells_nothing(browser: Client, rows: Item, address: str) -> None:
    """Else one could guess, letter by letter."""
    assert browser.get(f"/admin/jobs/{address}").status_code in {302, 400}


@pytest.mark.parametrize("table", TABLES)
def test_a_search_tells_nothing(rows: Item, table: str) -> None:
    """To staff without the right to reveal; the owner's own rows are found by the owner alone."""
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename=f"view_{table}"))
    browser = Client()
    browser.force_login(clerk)
    row = TABLES[table]._default_manager.get()
    for guess in ("harbour", "loaves", "why", "ab12cd34", "my-key"):
        assert str(row.pk) not in browser.get(f"/admin/jobs/{table}/?q={guess}").content.decode()
    assert str(row.pk) in browser.get(f"/admin/jobs/{table}/?q=alice").content.decode()
    assert str(row.pk) in browser.get(f"/admin/jobs/{table}/?q={row.pk}").content.decode()
    assert not LogEntry.objects.exists()


def test_names_of_rows_tell_nothing(rows: Item) -> None:
    for model in TABLES.values():
        said = str(model._default_manager.get())
        assert not any(secret in said for secret in SECRETS)


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        ("upstream_down", "", ""),
        ("private_account", "somebody", "•••"),
        ("not_understood", "what was typed", "•••"),
        ("upstream_changed", "itemInfo.itemStruct.id is missing", None),
        ("media_unavailable", "v16-webapp-prime.tiktok.com: status 403", None),
        ("internal", "1a2b3c4d", None),
        ("upstream_down", "@other.name: no", "@•••: no"),
        ("upstream_down", "for Some One, 7441111111111111111", "for •••, •••"),
    ],
)
def test_details_go_through_a_sieve(code: str, text: str, said: str | None) -> None:
    assert masking.mask_detail(code, text, ["some one", "ab", ""]) == (
        text if said is None else said
    )


HARMLESS = {
    "prefer", "audio", "kind", "state", "error_code", "error_detail", "role", "content_type",
    "labels", "selection", "left_out", "time_zone", "language", "holder", "name_template",
}  # fmt: skip
"""Words of ours; `error_detail` is shown through the sieve alone."""


def test_every_field_with_words_is_masked_or_known_to_be_harmless() -> None:
    for model in TABLES.values():
        words = {
            field.name
            for field in model._meta.fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField)
        }
        assert words - HARMLESS == set(masking.MASKED_FIELDS.get(model, ())), model
