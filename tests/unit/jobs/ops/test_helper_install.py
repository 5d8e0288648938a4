"""gallery-dl installed into the data folder; what is fetched and started is scripted."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobs.ops import helper_install
from jobs.ops.helper_install import InstallError, Wheel, go_back, install, remove, versions
from stories.config import ClientConfig
from stories.helper.installed import current_version, interpreter


@dataclass
class Machine:
    """In place of Python's venv and pip. offered: files of a download. fails: a word of the command
    that ends badly. ran: the commands, with the line each was given."""

    offered: dict[str, bytes] = field(default_factory=dict)
    fails: str = ""
    ran: list[tuple[list[str], str]] = field(default_factory=list)

    def offer(self, version: str) -> None:
        self.offered = {
            f"gallery_dl-{version}-py3-none-any.whl": version.encode(),
            "requests-2.34.2-py3-none-any.whl": b"requests",
        }

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.ran.append((list(command), options["input"]))
        if self.fails and self.fails in command:
            return subprocess.CompletedProcess(list(command), 1, "", "hint\nERROR: no such thing\n")
        if "venv" in command:
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True)
            python.write_text("")
        if "download" in command:
            folder = Path(command[command.index("--dest") + 1])
            folder.mkdir()
            for name, content in self.offered.items():
                (folder / name).write_bytes(content)
        return subprocess.CompletedProcess(list(command), 0, "", "")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    made.offer("1.32.18")
    monkeypatch.setattr(subprocess, "run", made.run)
    return made


def put_in(folder: Path, version: str | None = None, **options: Any) -> str | None:
    chosen: dict[str, Any] = {
        "config": ClientConfig(),
        "confirm": lambda *_: True,
        "try_out": lambda _: None,
        **options,
    }
    return install(folder, version=version, **chosen)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "gallery-dl").iterdir())


def test_what_is_installed_is_what_was_shown_and_tried_out(
    tmp_path: Path, machine: Machine
) -> None:
    shown: list[Any] = []
    tried: list[Path] = []

    def confirm(version: str, wheels: Sequence[Wheel]) -> bool:
        assert current_version(tmp_path) is None
        shown.extend([version, *wheels])
        return True

    def try_out(python: Path) -> None:
        assert current_version(tmp_path) is None
        tried.append(python)

    assert put_in(tmp_path, confirm=confirm, try_out=try_out) == "1.32.18"
    assert shown == [
        "1.32.18",
        Wheel(name="gallery_dl", version="1.32.18", sha256=hashlib.sha256(b"1.32.18").hexdigest()),
        Wheel(name="requests", version="2.34.2", sha256=hashlib.sha256(b"requests").hexdigest()),
    ]
    assert len(tried) == 1
    assert current_version(tmp_path) == "1.32.18"
    assert names(tmp_path) == ["1.32.18", "current"]
    (only,) = versions(tmp_path)
    assert only.current
    assert list(only.wheels) == shown[1:]


def test_only_wheels_are_asked_for_and_none_is_built(tmp_path: Path, machine: Machine) -> None:
    put_in(tmp_path, "1.32.18")
    _, (download, _), (installing, _) = machine.ran
    assert download[download.index("--only-binary") + 1] == ":all:"
    assert download[-1 - 3] == "gallery-dl==1.32.18"
    assert "--no-cache-dir" in download
    assert {"--no-index", "--no-deps"} <= set(installing)
    assert not any("index-url" in part for part in [*download, *installing])


def test_the_proxy_with_its_password_is_on_no_command_line(
    tmp_path: Path, machine: Machine
) -> None:
    put_in(tmp_path, config=ClientConfig(proxy="http://me:secret@proxy.example:3128"))
    for command, line in machine.ran[1:]:
        assert "secret" not in " ".join(command)
        assert line == "http://me:secret@proxy.example:3128\n"
    machine.fails = "download"
    with pytest.raises(InstallError, match="cannot download it through STORYKEEP_PROXY: ") as error:
        put_in(tmp_path, config=ClientConfig(proxy="http://me:secret@proxy.example:3128"))
    assert "secret" not in str(error.value)


def test_an_extra_authority_is_pips_too(tmp_path: Path, machine: Machine) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("extra")
    seen = []

    def look(_: object, __: object) -> bool:
        command = machine.ran[1][0]
        seen.append(Path(command[command.index("--cert") + 1]).read_text())
        return True

    put_in(tmp_path, config=ClientConfig(ca_bundle=str(authority)), confirm=look)
    assert seen[0].endswith("extra")
    assert seen[0].count("BEGIN CERTIFICATE") > 50


def test_no_leaves_nothing(tmp_path: Path, machine: Machine) -> None:
    assert put_in(tmp_path, confirm=lambda *_: False) is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", ["venv", "download", "install"])
def test_a_step_that_fails_leaves_nothing_and_says_why(
    tmp_path: Path, machine: Machine, step: str
) -> None:
    machine.fails = step
    with pytest.raises(InstallError, match="ERROR: no such thing"):
        put_in(tmp_path)
    assert names(tmp_path) == []
    assert current_version(tmp_path) is None


def test_a_version_that_does_not_work_here_is_not_used(tmp_path: Path, machine: Machine) -> None:
    put_in(tmp_path)
    machine.offer("1.33.0")

    def try_out(_: Path) -> None:
        raise InstallError("it was tried out, and does not work here: x")

    with pytest.raises(InstallError, match="does not work here"):
        put_in(tmp_path, try_out=try_out)
    assert current_version(tmp_path) == "1.32.18"
    assert names(tmp_path) == ["1.32.18", "current"]


@pytest.mark.parametrize(
    "offered",
    [
        {},
        {"gallery_dl-1.32.18.tar.gz": b""},
        {"gallery_dl-1.32.18-py3-none-any.whl": b"", "evil.sh": b""},
        {"gallery_dl-latest-py3-none-any.whl": b""},
        {"gallery-1.32.18-py3-none-any.whl": b""},
    ],
)
def test_a_download_that_is_not_it_is_not_installed(
    tmp_path: Path, machine: Machine, offered: dict[str, bytes]
) -> None:
    machine.offered = offered
    with pytest.raises(InstallError):
        put_in(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "version", ["", "1.32; rm", "../..", "--pre", "1.32.18 --index-url=x", "1.32.18\n"]
)
def test_what_is_no_version_is_not_handed_to_pip(
    tmp_path: Path, machine: Machine, version: str
) -> None:
    with pytest.raises(InstallError, match="no version"):
        put_in(tmp_path, version)
    assert machine.ran == []


def test_another_version_than_asked_for_is_refused(tmp_path: Path, machine: Machine) -> None:
    with pytest.raises(InstallError, match="not the version"):
        put_in(tmp_path, "1.32.17")


def test_files_that_change_meanwhile_are_refused(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = machine.run

    def swap(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        done = run(command, **options)
        if "install" in command:
            Path(command[command.index("--no-cache-dir") + 1]).write_bytes(b"another")
        return done

    monkeypatch.setattr(subprocess, "run", swap)
    with pytest.raises(InstallError, match="changed"):
        put_in(tmp_path)
    assert names(tmp_path) == []


# --- versions -------------------------------------------------------------------------------------


def test_the_last_two_are_kept_and_one_can_go_back(tmp_path: Path, machine: Machine) -> None:
    for version in ("1.32.16", "1.32.17", "1.32.18"):
        machine.offer(version)
        put_in(tmp_path)
    assert names(tmp_path) == ["1.32.17", "1.32.18", "current"]
    assert go_back(tmp_path) == "1.32.17"
    assert current_version(tmp_path) == "1.32.17"
    assert [one.version for one in versions(tmp_path)] == ["1.32.17", "1.32.18"]
    assert go_back(tmp_path) == "1.32.18"


def test_the_one_in_use_is_kept_after_going_back(tmp_path: Path, machine: Machine) -> None:
    for version in ("1.32.16", "1.32.17"):
        machine.offer(version)
        put_in(tmp_path)
    go_back(tmp_path)
    machine.offer("1.32.18")
    put_in(tmp_path)
    assert names(tmp_path) == ["1.32.16", "1.32.18", "current"]


def test_the_same_version_can_be_installed_again(tmp_path: Path, machine: Machine) -> None:
    for _ in range(2):
        put_in(tmp_path)
        assert names(tmp_path) == ["1.32.18", "current"]
        assert current_version(tmp_path) == "1.32.18"


def test_with_one_version_there_is_nothing_to_go_back_to(tmp_path: Path, machine: Machine) -> None:
    with pytest.raises(InstallError):
        go_back(tmp_path)
    put_in(tmp_path)
    with pytest.raises(InstallError):
        go_back(tmp_path)
    assert current_version(tmp_path) == "1.32.18"


def test_removed_is_removed(tmp_path: Path, machine: Machine) -> None:
    assert not remove(tmp_path)
    with pytest.raises(InstallError):
        go_back(tmp_path)
    assert not remove(tmp_path)
    put_in(tmp_path)
    assert remove(tmp_path)
    assert versions(tmp_path) == []
    assert not (tmp_path / "gallery-dl").exists()


# --- interrupted ----------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing after this runs."""


@pytest.mark.parametrize("step", ["_wheels", "_put_in_place", "_use", "_write_current"])
def test_an_interrupted_installation_is_none(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(helper_install, "_remove", lambda _: None)  # a killed one clears nothing up
        patched.setattr(helper_install, step, die)
        with pytest.raises(Killed):
            put_in(tmp_path)
    assert current_version(tmp_path) is None
    assert put_in(tmp_path) == "1.32.18"
    assert names(tmp_path) == ["1.32.18", "current"]


def test_two_installations_do_not_mix(tmp_path: Path, machine: Machine) -> None:
    put_in(tmp_path)
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for deed in (put_in, go_back, remove):
            with pytest.raises(InstallError, match="another installation"):
                deed(tmp_path)
    assert current_version(tmp_path) == "1.32.18"


def test_a_data_folder_that_cannot_be_written_is_said(tmp_path: Path, machine: Machine) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match="the data folder"):
        put_in(tmp_path / "file" / "below")


def test_a_list_that_was_tampered_with_is_empty(tmp_path: Path, machine: Machine) -> None:
    put_in(tmp_path)
    (tmp_path / "gallery-dl" / "1.32.18" / "installed.json").write_text('{"wheels": [1]}')
    assert versions(tmp_path)[0].wheels == ()
    interpreter(tmp_path, "1.32.18").unlink()
    assert versions(tmp_path) == []
