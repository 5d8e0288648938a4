"""The diagnosis says why something waits for the library, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.models import CopyState, LibraryCopy, SendState
from jobs.ops.findings import Verdict
from jobs.ops.library_check import check_library
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(set_env: Callable[..., None], tmp_path: Path) -> None:
    set_env(library_dir=tmp_path)


def copy(**facts: object) -> None:
    count = LibraryCopy.objects.count()
    LibraryCopy.objects.create(owner=make_user(), tiktok_id="7", position=count, **facts)


def test_without_a_library_nothing_is_said() -> None:
    assert list(check_library()) == []


@pytest.mark.usefixtures("library")
def test_a_library_that_takes_files_is_well() -> None:
    copy(state=CopyState.KEPT)
    copy(state=CopyState.WAITING)
    (finding,) = check_library()
    assert finding.verdict is Verdict.OK
    assert str(finding.message) == "nothing waits for it"


@pytest.mark.usefixtures("library")
def test_what_waits_is_told_with_its_reason() -> None:
    copy(state=CopyState.WAITING, reason="away")
    copy(state=CopyState.WAITING, reason="away")
    (finding,) = check_library()
    assert finding.verdict is Verdict.WARN
    assert str(finding.message).startswith("2 files wait: The library")
    assert "STORYKEEP_LIBRARY_DIR" in str(finding.hint)


@pytest.mark.usefixtures("library")
def test_an_immich_that_is_away_is_told() -> None:
    copy(state=CopyState.KEPT, send_state=SendState.WAITING, send_reason="unreachable")
    (finding,) = check_library()
    assert (finding.verdict, finding.reason) == (Verdict.WARN, "immich")
    assert "Immich does not answer" in str(finding.message)
