"""Whether memory is short: by control groups, the process's own limit, and the machine."""

from __future__ import annotations

import logging
import os
import resource
from pathlib import Path

import pytest

from webapp.processes.memory_limit import EASED, MemoryWatch, Use, gauges

MIB = 1024 * 1024
PAGE = os.sysconf("SC_PAGE_SIZE")


class Clock:
    """Seconds that go forward when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process in no control group, on a machine with half of its memory free."""
    folder = tmp_path / "proc"
    write(folder / "meminfo", "MemTotal: 1000 kB\nMemAvailable: 500 kB\nSwapFree: 0 kB\n")
    write(folder / "self/statm", "100 50 10 1 0 40 0\n")
    write(folder / "self/cgroup", "")
    return folder


def write(path: Path, text: str | int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(text))


def uses(proc: Path, cgroups: Path) -> list[Use]:
    """What is seen of each limit there is."""
    return [use for gauge in gauges(proc, cgroups) if (use := gauge()) is not None]


def test_of_the_machine_what_is_left_counts_with_its_swap(proc: Path, tmp_path: Path) -> None:
    assert uses(proc, tmp_path) == [Use(500 * 1024, 1000 * 1024)]
    write(proc / "meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 50 kB\nSwapFree: 9 kB")
    assert uses(proc, tmp_path) == [Use(941 * 1024, 1000 * 1024)]


def test_a_limit_of_the_process_is_one_of_its_address_space(
    proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (500 * PAGE, 900 * PAGE))
    assert Use(100 * PAGE, 500 * PAGE) in uses(proc, tmp_path)


def test_a_container_of_version_2_without_the_caches_of_files(proc: Path, tmp_path: Path) -> None:
    write(proc / "self/cgroup", "0::/")
    group = tmp_path / "cgroup"
    write(group / "memory.max", 512 * MIB)
    write(group / "memory.high", "max")
    write(group / "memory.current", 400 * MIB)
    stat = f"anon 9\ninactive_file {100 * MIB}\nactive_file {50 * MIB}\nslab_reclaimable {MIB}\n"
    write(group / "memory.stat", stat)
    assert uses(proc, group)[0] == Use(249 * MIB, 512 * MIB)
    write(group / "memory.high", 300 * MIB)  # from which on the kernel slows it down
    assert uses(proc, group)[0] == Use(249 * MIB, 300 * MIB)


def test_the_limits_of_groups_around_it_count(proc: Path, tmp_path: Path) -> None:
    """As a service of systemd's has them."""
    write(proc / "self/cgroup", "0::/system.slice/storykeep.service")
    for group, limit in (("system.slice", 100), ("system.slice/storykeep.service", "max")):
        write(tmp_path / group / "memory.max", limit)
        write(tmp_path / group / "memory.current", 70)
        write(tmp_path / group / "memory.stat", "inactive_file 20")
    assert uses(proc, tmp_path)[0] == Use(50, 100)


def test_a_container_of_version_1(proc: Path, tmp_path: Path) -> None:
    """Its path is that of the machine outside, of which only the last part is mounted."""
    write(proc / "self/cgroup", "5:cpu:/\n4:memory:/docker/2f7a\n1:name=systemd:/docker/2f7a\n")
    write(tmp_path / "memory/memory.limit_in_bytes", 100)
    write(tmp_path / "memory/memory.usage_in_bytes", 80)
    stat = "inactive_file 1\ntotal_inactive_file 20\ntotal_active_file 5\n"
    write(tmp_path / "memory/memory.stat", stat)
    assert uses(proc, tmp_path)[0] == Use(55, 100)
    write(tmp_path / "memory/memory.limit_in_bytes", 9223372036854771712)
    assert len(uses(proc, tmp_path)) == 1  # the machine's


@pytest.mark.parametrize(
    ("used", "limit", "short"),
    [
        (89 * MIB, 100 * MIB, False),
        (91 * MIB, 100 * MIB, True),
        (7 * 1024 * MIB, 8 * 1024 * MIB, False),  # an eighth of it is room for many lines
        (8 * 1024 * MIB - 127 * MIB, 8 * 1024 * MIB, True),
    ],
)
def test_short_is_a_tenth_or_what_some_lines_take(used: int, limit: int, short: bool) -> None:
    assert Use(used, limit).is_short() == short


def test_it_is_said_once_when_it_gets_short_and_when_it_eases(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock, used = Clock(), [50, 91, 92, 89, 100 - int(EASED * 10), 89, 91]
    watch = MemoryWatch([lambda: Use(used.pop(0) * MIB, 100 * MIB)], clock)
    seen = []
    while used:
        clock.now += 2
        seen.append(watch.is_short())
    assert seen == [False, True, True, True, False, False, True]
    assert [record.getMessage() for record in caplog.records] == [
        "memory is short: 91 of 100 MiB in use; nothing more is taken on until it eases",
        "memory is not short any more",
        "memory is short: 91 of 100 MiB in use; nothing more is taken on until it eases",
    ]


def test_it_looks_once_a_second() -> None:
    clock, looks = Clock(), 0

    def look() -> Use:
        nonlocal looks
        looks += 1
        return Use(1, 2)

    watch = MemoryWatch([look], clock)
    for _ in range(20):
        clock.now += 0.25
        watch.is_short()
    assert looks == 5


def test_a_gauge_that_cannot_be_read_says_nothing() -> None:
    def gone() -> Use:
        raise OSError

    def garbled() -> Use:
        raise ValueError

    assert not MemoryWatch([gone, garbled]).is_short()
    assert MemoryWatch([gone, lambda: Use(99, 100)]).is_short()


def test_a_system_without_any_of_that(tmp_path: Path) -> None:
    assert not MemoryWatch(gauges(tmp_path, tmp_path)).is_short()


def test_this_machine_can_be_read() -> None:
    MemoryWatch(gauges()).is_short()
