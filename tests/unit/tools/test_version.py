"""The version is the changelog's, and every place that repeats it agrees."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs import VERSION
from tools import version


def test_every_place_says_the_changelogs_version() -> None:
    """When it fails: `python -m tools.version --write`."""
    assert version.repeated() == dict.fromkeys(version.PLACES, version.current())
    assert version.current() == VERSION


@pytest.mark.parametrize(
    ("changelog", "found"),
    [
        ("# Changelog\n\n## Unreleased\n\n- x\n", None),
        ("## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n## 0.1.0 (2026-11-01)\n", "0.2.0"),
        ("## [1.0] - 2027\n", "1.0"),
        ("## v1.2.3-rc1\n", "1.2.3-rc1"),
        ("### 9.9\n##  8.8\n", None),
    ],
)
def test_the_first_numbered_heading_counts(changelog: str, found: str | None) -> None:
    assert version.released(changelog) == found


def test_a_new_heading_is_written_everywhere_once(tmp_path: Path) -> None:
    for name in version.PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(version.ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("## Unreleased\n\n## 7.8.9 (2027-01-01)\n")
    assert version.write(tmp_path) == list(version.PLACES)
    assert version.repeated(tmp_path) == dict.fromkeys(version.PLACES, "7.8.9")
    assert version.write(tmp_path) == []


def test_a_tag_of_another_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert version.main(["--tag", f"v{VERSION}"]) == 0
    assert version.main(["--tag", "v99.0"]) == 1
    assert "v99.0" in capsys.readouterr().err
