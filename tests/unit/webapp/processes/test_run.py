"""The name of a run: the same for what ends together, another one after that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from webapp.processes.run import run_name


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A machine that has started, and a supervisor on it."""
    boot(tmp_path, "7a1f")
    supervisor(tmp_path, started=500)
    return tmp_path


def boot(proc: Path, identity: str) -> None:
    path = proc / "sys/kernel/random/boot_id"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{identity}\n")


def supervisor(proc: Path, *, started: int) -> None:
    path = proc / str(os.getppid()) / "stat"
    path.parent.mkdir(exist_ok=True)
    before = " ".join(["S", *map(str, range(4, 22))])
    path.write_text(f"{os.getppid()} (a name) S 1) {before} {started} 23 24\n")


def test_workers_of_one_supervisor_end_together(proc: Path) -> None:
    assert run_name(supervised=True, proc=proc) == run_name(supervised=True, proc=proc)


def test_another_supervisor_is_another_run(proc: Path) -> None:
    before = run_name(supervised=True, proc=proc)
    supervisor(proc, started=501)
    assert run_name(supervised=True, proc=proc) != before


@pytest.mark.parametrize("supervised", [True, False])
def test_another_start_of_the_machine_is_another_run(proc: Path, supervised: bool) -> None:
    before = run_name(supervised=supervised, proc=proc)
    boot(proc, "7a20")
    assert run_name(supervised=supervised, proc=proc) != before


def test_what_stands_alone_ends_with_the_machine(proc: Path) -> None:
    before = run_name(supervised=False, proc=proc)
    supervisor(proc, started=501)
    assert run_name(supervised=False, proc=proc) == before


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert run_name(supervised=False, proc=tmp_path) == ""
    assert run_name(supervised=True, proc=tmp_path) != ""


def test_it_fits_into_a_row() -> None:
    assert len(run_name(supervised=True)) == 16
