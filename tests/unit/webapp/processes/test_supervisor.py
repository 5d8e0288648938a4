"""The supervisor with small children of shell: starting, restarting, giving up, stopping."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from webapp.processes.stop_requests import SAME_WITHIN_S
from webapp.processes.supervisor import Supervisor

ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "webapp" / "processes" / "supervisor.py"
TIMEOUT_S = 30


class Run:
    """A supervisor at work, and what it has printed so far."""

    def __init__(self, folder: Path, specs: list[dict[str, Any]], **more: Any) -> None:
        plan = folder / "plan.json"
        base = {"stage": 1, "grace_s": 5, "socket": "", "quiet": False, "silent_after_s": 0}
        with socket.socket() as probe:  # nobody listens there: the web part is never live
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        plan.write_text(
            json.dumps(
                {
                    "processes": [base | spec for spec in specs],
                    "host": "127.0.0.1",
                    "port": port,
                    "live_path": "/",
                    "greeting": ["hello"],
                    "first_restart_delay_s": 0.01,
                    "watch_every_s": 0.1,
                    **more,
                }
            )
        )
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-P", str(SCRIPT), str(plan)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, words: str) -> str:
        """Read on until a line has these words."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return line.rstrip("\n")
        raise AssertionError(f"{words!r} never came:\n" + "\n".join(self.lines))

    def end(self) -> int:
        """Read the rest; the exit code."""
        assert self.process.stdout
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait(TIMEOUT_S)

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    """Starts supervisors, and leaves none behind."""
    runs: list[Run] = []

    def start(*specs: dict[str, Any], **more: Any) -> Run:
        runs.append(Run(tmp_path, list(specs), **more))
        return runs[-1]

    yield start
    for started in runs:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()
        if started.process.stdout:
            started.process.stdout.close()


def sh(name: str, script: str, **facts: Any) -> dict[str, Any]:
    """The spec of a child that is a line of shell."""
    return {"name": name, "argv": ["/bin/sh", "-c", script], **facts}


def is_gone(pid: int) -> bool:
    """Wait for a process to end; a zombie has ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_lines_carry_the_name_of_their_part(run: Any) -> None:
    started = run(sh("web", "echo one; echo two >&2; sleep 100"), sh("worker", "sleep 100"))
    assert started.until("one") == "web       | one"
    assert started.until("two") == "web       | two"
    assert started.stop() == 0
    assert started.lines[-1] == "storykeep | stopped"


def test_every_line_is_json_where_that_is_asked_for(run: Any) -> None:
    ours = '{"time": "now", "level": "ERROR", "message": "broken", "logger": "a", "pid": 1}'
    started = run(
        sh("web", f"printf 'half \\377 {{\\n'; echo '{ours}'; sleep 100"), log_format="json"
    )
    started.until("broken")
    assert started.stop() == 0
    lines = [json.loads(line) for line in started.lines]
    assert all({"time", "level", "logger", "message", "pid"} <= line.keys() for line in lines)
    said = [(line.get("process"), line["message"]) for line in lines]
    assert said[:2] == [("web", "half \N{REPLACEMENT CHARACTER} {"), (None, "broken")]
    assert said[-1] == ("storykeep", "stopped")


def test_a_part_that_dies_is_named_and_started_again(run: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"if [ -e {mark} ]; then echo back; sleep 100; else touch {mark}; exit 3; fi"
    started = run(sh("worker", script))
    assert "worker died (exit 3); starting it again" in started.until("died")
    started.until("back")
    assert started.stop() == 0


def test_a_killed_part_says_so(run: Any) -> None:
    started = run(sh("worker", "echo $$; kill -9 $$"))
    assert "killed by SIGKILL" in started.until("died")
    started.stop()


def test_a_part_whose_settings_are_refused_ends_everything(run: Any) -> None:
    started = run(sh("web", "echo $$; exec sleep 100"), sh("worker", "echo why; exit 2"))
    web = int(started.until("web  ").split()[-1])
    assert "5 times in a row; giving up" in started.until("giving up")
    assert started.end() == 1
    assert is_gone(web)
    assert sum(line.endswith("why") for line in started.lines) == 5


@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$"])
def test_a_part_that_keeps_dying_for_another_reason_is_started_for_ever(
    run: Any, tmp_path: Path, end: str
) -> None:
    """It may be a service that it only talks to."""
    tries = tmp_path / "tries"
    script = (
        f"echo x >> {tries}; if [ $(wc -l < {tries}) -gt 7 ]; then echo back; sleep 100; fi; {end}"
    )
    started = run(sh("worker", script))
    started.until("back")
    assert started.stop() == 0
    assert sum("starting it again" in line for line in started.lines) == 7


def test_what_a_part_fails_on_is_set_aside(run: Any, tmp_path: Path) -> None:
    """And not what one had that was killed."""
    kept = tmp_path / "dump.rdb"
    kept.write_text("cut sho")
    script = f"if [ -e {kept} ]; then exit 1; else echo loaded; exec sleep 100; fi"
    started = run(sh("redis", script, expendable=str(kept)))
    started.until("loaded")
    assert any("redis does not start with what it kept" in line for line in started.lines)
    assert (tmp_path / "dump.rdb.bad").read_text() == "cut sho"
    started.stop()
    kept.write_text("whole")
    killed = run(sh("redis", "kill -9 $$", expendable=str(kept)))
    for _ in range(4):
        killed.until("died")
    killed.stop()
    assert kept.read_text() == "whole"


def test_a_command_that_is_not_there_ends_everything(run: Any) -> None:
    started = run(sh("web", "sleep 100"), {"name": "worker", "argv": ["/nowhere/at/all"]})
    assert "worker cannot be started: No such file" in started.until("cannot")
    assert started.end() == 1


def test_a_system_without_room_for_a_process_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = {"name": "worker", "argv": ["worker"], "stage": 0, "socket": "", "grace_s": 0,
            "quiet": False, "silent_after_s": 1.0}  # fmt: skip
    keeper = Supervisor(
        {"processes": [spec], "host": "", "port": 0, "live_path": "", "greeting": []}
    )
    (worker,) = keeper.children

    def fail(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", fail)
    keeper.start(worker)
    assert "worker cannot be started: Resource" in capfd.readouterr().out
    assert (keeper.stopping, keeper.exit_code) == (False, 0)
    assert worker.start_at
    worker.close_pulse()


def test_a_part_that_does_not_stop_is_killed_with_its_children(run: Any) -> None:
    script = "trap '' TERM; sleep 100 & echo $!; while :; do wait; done"
    started = run(sh("worker", script, grace_s=0.2))
    child = int(started.until("worker").split()[-1])
    assert started.stop() == 0
    assert any("did not stop" in line for line in started.lines)
    assert is_gone(child)


def test_asked_twice_it_ends_at_once(run: Any) -> None:
    started = run(sh("worker", "trap '' TERM; echo up; while :; do sleep 0.1; done", grace_s=1000))
    started.until("up")
    started.process.send_signal(signal.SIGTERM)
    started.until("stopping")
    time.sleep(1.2 * SAME_WITHIN_S)
    started.process.send_signal(signal.SIGTERM)
    assert started.end() == 0


def test_signals_that_come_together_ask_once(run: Any) -> None:
    """As a group's does under `make`, which sends its own, too; and a terminal that is closed."""
    orderly = (
        "trap 'sleep 0.5; echo handed back; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    )
    started = run(sh("worker", orderly))
    started.until("up")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        started.process.send_signal(number)
        time.sleep(0.03)
    assert started.end() == 0
    assert any("handed back" in line for line in started.lines)


def test_what_a_dead_part_left_behind_is_killed(run: Any) -> None:
    started = run(sh("web", "sleep 100 & echo $!; exec 1>&-; kill -9 $$"))
    child = int(started.until("web").split()[-1])
    started.until("died")
    assert is_gone(child)
    started.stop()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a promise of the Linux kernel")
def test_parts_die_with_a_killed_supervisor(run: Any) -> None:
    started = run(sh("web", "echo $$; trap '' TERM HUP; while :; do sleep 0.1; done"))
    web = int(started.until("web").split()[-1])
    started.process.kill()
    started.process.wait()
    assert is_gone(web)


def test_the_parts_are_out_of_reach_of_ctrl_c(run: Any) -> None:
    started = run(sh("web", "echo $$; exec sleep 100"))
    web = int(started.until("web").split()[-1])
    assert os.getpgid(web) == web
    assert os.getpgid(web) != os.getpgid(started.process.pid)
    started.stop()


SERVER = """
import os, socket, sys, time
print("noise", flush=True)
time.sleep(0.3)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
open(sys.argv[1] + ".ready", "w").close()
listener.listen()
while True:
    caller, _ = listener.accept()
    caller.recv(100)
    caller.sendall(b"+PONG\\r\\n")
"""


def test_a_stage_waits_for_the_one_before(run: Any, tmp_path: Path) -> None:
    path = f"{tmp_path}/s"
    started = run(
        {
            "name": "redis",
            "argv": [sys.executable, "-c", SERVER, path],
            "stage": 0,
            "socket": path,
            "quiet": True,
        },
        sh("web", f"test -e {path}.ready && echo first came redis; sleep 100"),
    )
    started.until("first came redis")
    assert started.stop() == 0
    assert not any("noise" in line for line in started.lines)
    assert started.lines[-1] == "storykeep | stopped"


BEATING = """
import faulthandler, os, signal, sys, time
faulthandler.register(signal.SIGUSR2)
pulse = int(sys.argv[sys.argv.index("--pulse-fd") + 1])
print(os.getpid(), flush=True)
while True:
    os.write(pulse, b".")
    time.sleep(0.05)
"""


def beating(name: str, script: str = BEATING, **facts: Any) -> dict[str, Any]:
    """The spec of a child that is watched, and beats until something happens to it."""
    argv = [sys.executable, "-c", script]
    return {"name": name, "argv": argv, "silent_after_s": 1.5, "grace_s": 0.3, **facts}


def test_a_stopped_part_is_named_and_replaced(run: Any) -> None:
    started = run(beating("worker", grace_s=1000), sh("web", "sleep 100"))
    worker = int(started.until("worker").split()[-1])
    os.kill(worker, signal.SIGSTOP)
    assert "worker gives no sign of life for 1.5 s: replacing it" in started.until("no sign")
    assert "worker died (killed by SIGKILL); starting it again" in started.until("died")
    assert is_gone(worker)
    assert int(started.until("worker").split()[-1]) != worker
    assert started.stop() == 0


def test_a_part_whose_loop_hangs_says_where(run: Any) -> None:
    stuck = BEATING.replace("time.sleep(0.05)", "time.sleep(1000)")
    orderly = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    started = run(beating("worker", orderly + stuck))
    started.until("gives no sign of life")
    started.until('File "<string>", line 10 in <module>')
    assert "worker died (exit 0); starting it again" in started.until("died")
    started.stop()


def test_a_part_that_takes_long_to_start_is_not_taken_to_hang(run: Any) -> None:
    slow = BEATING.replace("while True", "time.sleep(3)\nprint('up', flush=True)\nwhile True")
    started = run(beating("worker", slow))
    started.until("up")
    assert not any("sign of life" in line for line in started.lines)
    started.stop()


def test_a_supervisor_that_slept_too_blames_nobody(run: Any) -> None:
    """As when the machine is suspended: it counts looks, and compares no clocks."""
    started = run(beating("worker"), sh("web", "sleep 5; echo later; sleep 100"))
    worker = int(started.until("worker").split()[-1])
    started.process.send_signal(signal.SIGSTOP)
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        started.process.wait(3)
    started.process.send_signal(signal.SIGCONT)
    os.kill(worker, signal.SIGCONT)
    started.until("later")
    assert not any("sign of life" in line for line in started.lines)
    started.stop()


def test_a_redis_that_accepts_and_never_answers_is_replaced(run: Any, tmp_path: Path) -> None:
    path = f"{tmp_path}/s"
    mute = "import pathlib\npathlib.Path(sys.argv[1]).unlink(missing_ok=True)\n"
    script = SERVER.replace("time.sleep(0.3)\n", mute).replace("while True:", "for _ in range(4):")
    argv = [sys.executable, "-c", script + "time.sleep(1000)\n", path]
    redis = {"name": "redis", "argv": argv, "stage": 0, "socket": path, "silent_after_s": 0.3}
    started = run(redis, sh("web", "echo up; sleep 100"))
    started.until("up")
    assert "redis gives no sign of life for 0.3 s" in started.until("no sign")
    assert "redis died (killed by SIGTERM)" in started.until("died")
    started.stop()


def test_a_quiet_part_is_heard_when_it_dies(run: Any) -> None:
    started = run(sh("redis", "echo no memory; exit 1", quiet=True))
    assert started.until("no memory") == "redis     | no memory"
    started.stop()


def test_long_and_unfinished_lines_arrive(run: Any) -> None:
    started = run(sh("web", "printf 'x%.0s' $(seq 40000); echo; printf 'the end'; exit 1"))
    started.until("the end")
    assert sum(line.count("x") for line in started.lines) >= 40000
    started.stop()


def test_a_part_that_takes_long_to_die_is_named_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Killed while it waits for a disk that does not answer, it is gone much later."""
    spec = {"name": "worker", "argv": [], "stage": 0, "socket": "", "grace_s": 0, "quiet": False}
    plan = {"processes": [spec | {"silent_after_s": 1.0}], "host": "", "port": 0, "live_path": "",
            "greeting": [], "watch_every_s": 0.0}  # fmt: skip
    watcher = Supervisor(plan)
    (worker,) = watcher.children
    worker.process = SimpleNamespace()  # type: ignore[assignment]  # never gone
    monkeypatch.setattr(worker, "is_silent", lambda _every_s: True)
    monkeypatch.setattr(worker, "is_stopped", lambda: False)
    worker.was_heard = True
    monkeypatch.setattr(worker, "signal", lambda _number: None)
    monkeypatch.setattr(worker, "kill", lambda: None)
    for _ in range(3):
        watcher.replace_silent()
        watcher.kill_overdue()
    assert [line.partition(" | ")[2] for line in capfd.readouterr().out.splitlines()] == [
        "worker gives no sign of life for 1 s: replacing it",
        "worker did not stop in 0 s; killing it",
    ]


def test_whoever_comes_while_it_stops_is_turned_away(capfd: pytest.CaptureFixture[str]) -> None:
    """A worker may take half a minute to end: nobody is to wait for an answer as long."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        plan = {"processes": [], "host": "", "port": 0, "live_path": "", "greeting": [],
                "listen_fd": os.dup(listener.fileno())}  # fmt: skip
    keeper = Supervisor(plan)
    socket.create_connection(address).close()
    keeper.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    keeper.stop()
    assert "stopping" in capfd.readouterr().out
