"""Settings of the library: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.env import BadSettings, load


def mistakes(setting: pytest.MonkeyPatch, **values: str) -> list[str]:
    for name, value in values.items():
        setting.setenv(f"STORYKEEP_{name}", value)
    with pytest.raises(BadSettings) as caught:
        load()
    return str(caught.value).splitlines()


def test_without_a_folder_there_is_no_library(setting: pytest.MonkeyPatch) -> None:
    assert load().library_dir is None
    assert load().immich_url is None


def test_a_folder_and_an_immich(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting.setenv("STORYKEEP_LIBRARY_DIR", str(tmp_path))
    setting.setenv("STORYKEEP_IMMICH_URL", "http://192.168.1.5:2283/")
    assert load().library_dir == tmp_path
    assert load().immich_url == "http://192.168.1.5:2283"


def test_immich_needs_a_library(setting: pytest.MonkeyPatch) -> None:
    assert mistakes(setting, IMMICH_URL="http://immich:2283") == [
        "STORYKEEP_IMMICH_URL: needs STORYKEEP_LIBRARY_DIR"
    ]


@pytest.mark.parametrize("url", ["immich", "ftp://immich", "http://u:p@immich", "http://i/api"])
def test_what_is_no_address_of_an_immich(
    setting: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    (line,) = mistakes(setting, LIBRARY_DIR=str(tmp_path), IMMICH_URL=url)
    assert line.startswith("STORYKEEP_IMMICH_URL: ")


@pytest.mark.parametrize("folder", ["", "/sub", "/artifacts", "/artifacts/library"])
def test_the_library_is_apart_from_saved_files(
    setting: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    values = {"DATA_DIR": str(tmp_path), "LIBRARY_DIR": f"{tmp_path}{folder}"}
    if folder == "/sub":
        for name, value in values.items():
            setting.setenv(f"STORYKEEP_{name}", value)
        assert load().library_dir == tmp_path / "sub"
    else:
        (line,) = mistakes(setting, **values)
        assert line.startswith("STORYKEEP_LIBRARY_DIR: not the folder of saved files")
