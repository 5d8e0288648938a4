"""Which version of a helper is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from stories.helper.installed import current_version, interpreter


def install(folder: Path, version: str) -> None:
    python = interpreter(folder, version)
    python.parent.mkdir(parents=True)
    python.write_text("")


def test_the_version_in_the_file_is_in_use(tmp_path: Path) -> None:
    install(tmp_path, "1.32.18")
    assert current_version(tmp_path) is None
    (tmp_path / "gallery-dl" / "current").write_text("1.32.18\n")
    assert current_version(tmp_path) == "1.32.18"


@pytest.mark.parametrize(
    "text", ["", "1.32.17", "../../bin", "1.32.18\n1.32.17", "1" * 200, "\xff", "latest"]
)
def test_anything_else_in_the_file_is_not_installed(tmp_path: Path, text: str) -> None:
    install(tmp_path, "1.32.18")
    (tmp_path / "gallery-dl" / "current").write_bytes(text.encode("latin-1"))
    assert current_version(tmp_path) is None


def test_a_folder_in_place_of_the_file_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "gallery-dl" / "current").mkdir(parents=True)
    assert current_version(tmp_path) is None
