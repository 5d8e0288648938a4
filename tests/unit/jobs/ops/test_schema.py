"""The schema: a database that a newer version has changed is refused; nothing else is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from jobs import VERSION
from jobs.ops import readiness, schema

pytestmark = pytest.mark.django_db


def apply(app: str, name: str) -> None:
    MigrationRecorder(connection).record_applied(app, name)


def test_a_database_of_this_version_is_fit() -> None:
    schema.check()
    assert schema.unknown_migrations() == []


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("jobs", "9999_of_tomorrow"),
        ("jobs", "0003_of_another_branch"),
        ("accounts", "0099_more"),
        ("auth", "0999_of_a_newer_django"),
    ],
)
def test_a_change_this_version_does_not_know_is_refused(app: str, name: str) -> None:
    apply(app, name)
    with pytest.raises(schema.NewerDatabase, match=f"{app}.{name}") as refused:
        schema.check()
    assert refused.value.unknown == [f"{app}.{name}"]
    assert VERSION in str(refused.value)


@pytest.mark.parametrize(
    ("app", "name"),
    [
        pytest.param("auth", "0002_replaced_since", id="a library's, replaced by another since"),
        pytest.param("gone", "0001_initial", id="a library's that is not used any more"),
    ],
)
def test_what_an_older_version_left_is_no_newer_one(app: str, name: str) -> None:
    apply(app, name)
    schema.check()


def test_it_says_which_version_made_it_and_what_to_do() -> None:
    apply("jobs", "9999_of_tomorrow")
    apply("jobs", "9998_of_noon")
    apply("storykeep", "7.5.0")
    with pytest.raises(schema.NewerDatabase) as refused:
        schema.check()
    assert str(refused.value) == (
        f"the database was made by Storykeep 7.5.0, and this is {VERSION}: it has "
        "jobs.9998_of_noon and 1 more, which this version does not know. Start Storykeep 7.5.0 or "
        "a newer one, or restore a backup that this version made."
    )


@pytest.mark.parametrize("noted", ["", VERSION])
def test_without_the_newer_versions_name_it_still_says_what_to_do(noted: str) -> None:
    apply("jobs", "9999_of_tomorrow")
    if noted:
        apply("storykeep", noted)
    with pytest.raises(schema.NewerDatabase) as refused:
        schema.check()
    assert str(refused.value) == (
        f"the database was made by a newer Storykeep, and this is {VERSION}: it has "
        "jobs.9999_of_tomorrow, which this version does not know. Start the newer one, or restore "
        "a backup that this version made."
    )


def test_a_version_is_noted_once() -> None:
    apply("storykeep", "0.0.1")
    for _ in range(2):
        schema.record_version()
    assert schema.last_version() == VERSION
    applied = MigrationRecorder(connection).applied_migrations()
    assert sorted(name for app, name in applied if app == "storykeep") == ["0.0.1", VERSION]


def test_an_older_version_that_went_back_is_told_of_itself() -> None:
    apply("storykeep", "7.5.0")
    schema.record_version()
    assert schema.last_version() == VERSION


def test_a_database_without_tables_is_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", lambda _cursor: [])
    schema.check()


def test_ready_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness.migrations, "done", False)
    apply("jobs", "9999_of_tomorrow")
    assert readiness.migrations() == "newer"


def test_the_changes_of_a_database_elsewhere_are_compared_as_well() -> None:
    elsewhere = {"jobs": ["0001_initial", "9999_of_tomorrow"], "of_nobody": ["0001_initial"]}
    assert schema.unknown_migrations(elsewhere) == ["jobs.9999_of_tomorrow"]
    assert schema.unknown_migrations({"jobs": ["0001_initial"]}) == []
