"""`manage.py up` for real: every part starts, what dies comes back, nothing is left behind."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from webapp.management.commands.up import PREPARING
from webapp.processes import redis_server

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("up"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
]


def environment(folder: Path, port: int, **more: str) -> dict[str, str]:
    """What a user who sets next to nothing has. Always SQLite: the folder is the instance."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("STORYKEEP_")
    }
    inherited.pop("DJANGO_SETTINGS_MODULE", None)
    settings = {"STORYKEEP_DATA_DIR": str(folder), "STORYKEEP_PORT": str(port)}
    return inherited | settings | more


def free_port() -> int:
    """A port nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parents() -> dict[int, int]:
    """Every living process and its parent."""
    parent_of = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parent_of[int(stat.parent.name)] = int(parent)
    return parent_of


def descendants(root: int) -> set[int]:
    """The process and all it has started, directly or not."""
    living = parents()
    family = {root}
    while more := {pid for pid, parent in living.items() if parent in family} - family:
        family |= more
    return family


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"it never came to: {what}"
        time.sleep(0.05)


def _get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        caller.request("GET", path, headers=headers)
        answer = caller.getresponse()
        return answer.status, answer.read()
    finally:
        caller.close()


class Instance:
    """A running `manage.py up` and what it has printed."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment(folder, self.port, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """The first line that matches, once it has come."""
        matches: list[re.Match[str]] = []

        def look() -> bool:
            matches.extend(
                match for line in list(self.lines) if (match := re.search(pattern, line))
            )
            return bool(matches) or self.process.poll() is not None

        wait_for(look, f"{pattern!r} in\n" + "\n".join(self.lines))
        assert matches, "\n".join(self.lines)
        return matches[0]

    def part(self, words: str) -> int:
        """The process of a part, by its command line."""
        for pid in descendants(self.process.pid) - {self.process.pid}:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if words in line and parents().get(pid) == self.process.pid:
                return pid
        raise AssertionError(f"no part {words!r}:\n" + "\n".join(self.lines))

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body of an answer."""
        return _get(self.port, path, **headers)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return code


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder to be; its name needs care."""
    # Short, because a socket lies in it.
    base = Path(tempfile.mkdtemp(prefix="sk-up-", dir="/tmp"))
    yield base / "my dàta"
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def up(folder: Path) -> Iterator[Callable[..., Instance]]:
    """Starts instances, and leaves none behind."""
    started: list[Instance] = []

    def start(**settings: str) -> Instance:
        started.append(Instance(folder, settings))
        return started[-1]

    yield start
    for instance in started:
        if instance.process.poll() is None:
            instance.stop()


def refusal(folder: Path, port: int | None = None, /, **settings: str) -> tuple[int, str]:
    """The exit code and the words of an `up` that cannot start."""
    done = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment(folder, port or free_port(), **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    # Static files may have changed since another test; then that is said, and nothing else.
    assert done.stdout in {"", f"{PREPARING}\n"}
    return done.returncode, done.stderr


def test_from_nothing_to_the_set_up_page_and_back(up: Callable[..., Instance]) -> None:
    instance = up()
    address = instance.wait_for_line(r"ready at (\S+)")[1]
    assert address == f"http://127.0.0.1:{instance.port}"
    link = urlsplit(instance.wait_for_line(r"(http\S+/setup/\S+/)")[1])
    status, page = instance.get(link.path)
    assert status == 200
    assert b'name="password1"' in page

    # Static files carry a hash of their content, and are kept by the browser.
    styles = re.search(rb'href="(/static/base\.[0-9a-f]+\.css)"', page)
    assert styles
    assert instance.get(styles[1].decode())[0] == 200

    status, report = instance.get("/health/ready")
    assert status == 200, report
    check = [sys.executable, "-m", "webapp.worker", "--check"]
    env = environment(instance.folder, instance.port)
    wait_for(
        lambda: subprocess.run(check, cwd=ROOT, env=env, check=False).returncode == 0,
        "the worker gives a sign of life",
    )
    everyone = descendants(instance.process.pid)
    assert len(everyone) == 4  # ourselves, redis, web, worker
    private = instance.folder.stat().st_mode & 0o777
    assert private == 0o700
    database = instance.folder / "storykeep.sqlite3"
    assert database.stat().st_mode & 0o077 == 0

    assert instance.stop(signal.SIGINT) == 0
    assert instance.lines[-1] == "storykeep | stopped"
    assert not [line for line in instance.lines if "Traceback" in line or "did not stop" in line]
    wait_for(lambda: not everyone & parents().keys(), "all processes are gone")
    assert subprocess.run(check, cwd=ROOT, env=env, check=False).returncode == 1

    restarted = up()
    restarted.wait_for_line("ready at")
    assert restarted.wait_for_line(r"(http\S+/setup/\S+/)")[1] != link.geturl()
    assert restarted.get(link.path)[0] == 404
    assert restarted.stop() == 0


def test_what_dies_comes_back(up: Callable[..., Instance]) -> None:
    instance = up()
    instance.wait_for_line("ready at")
    for name, words in {
        "worker": "webapp.worker",
        "redis": "redis",
        "web": "webapp.web",
    }.items():
        os.kill(instance.part(words), signal.SIGKILL)
        instance.wait_for_line(rf"storykeep \| {name} died \(killed by SIGKILL\)")

    def healthy() -> bool:
        try:
            return instance.get("/health/ready")[0] == 200
        except OSError:
            return False

    wait_for(healthy, "everything works again")
    assert instance.stop() == 0


def test_a_killed_supervisor_leaves_nothing_behind(up: Callable[..., Instance]) -> None:
    instance = up()
    instance.wait_for_line("ready at")
    everyone = descendants(instance.process.pid)
    assert len(everyone) >= 4
    instance.process.kill()
    instance.process.wait()
    wait_for(lambda: not everyone & parents().keys(), "all processes are gone")
    again = up()
    again.wait_for_line("ready at")
    assert again.stop() == 0


def test_one_up_per_data_folder(up: Callable[..., Instance], folder: Path) -> None:
    instance = up()
    instance.wait_for_line("ready at")
    code, words = refusal(folder)
    assert code == 2
    assert words == (
        f"Storykeep cannot start: it is running already with the data folder {folder}\n"
    )
    assert instance.stop() == 0


def test_a_port_in_use(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, words = refusal(folder, port)
    assert code == 2
    assert f"127.0.0.1 port {port}: address already in use" in words
    assert words.count("\n") == 1


@pytest.mark.parametrize("setting", ["STORYKEEP_DATA_DIR", "STORYKEEP_ARTIFACT_DIR"])
def test_a_folder_that_cannot_be(folder: Path, setting: str) -> None:
    folder.mkdir()
    (folder / "file").touch()
    code, words = refusal(folder, **{setting: str(folder / "file" / "data")})
    assert code == 2
    assert f"{folder}/file" in words
    assert "Traceback" not in words


def test_a_database_that_does_not_answer(folder: Path) -> None:
    url = f"postgres://someone:hunter2@127.0.0.1:{free_port()}/name"
    code, words = refusal(folder, STORYKEEP_DATABASE_URL=url)
    assert code == 2
    assert "the database does not work" in words
    assert "hunter2" not in words
    assert "Traceback" not in words


def test_a_database_that_is_not_back_yet_is_waited_for(
    up: Callable[..., Instance], folder: Path
) -> None:
    first = up()
    first.wait_for_line("ready at")
    assert first.stop() == 0
    port = free_port()
    again = up(STORYKEEP_DATABASE_URL=f"postgres://someone:hunter2@127.0.0.1:{port}/name")
    line = again.wait_for_line("the database does not work")
    assert line.string.endswith("; waiting for it")
    assert again.process.poll() is None
    assert again.stop() != 0
    assert len(again.lines) == 1, "said once"


def test_a_database_that_cannot_be_opened_yet_is_waited_for(
    up: Callable[..., Instance], folder: Path
) -> None:
    first = up()
    first.wait_for_line("ready at")
    assert first.stop() == 0
    away = folder / "storykeep.sqlite3.away"
    (folder / "storykeep.sqlite3").rename(away)
    (folder / "storykeep.sqlite3").mkdir()  # cannot be opened
    again = up()
    again.wait_for_line("; waiting for it")
    (folder / "storykeep.sqlite3").rmdir()
    away.rename(folder / "storykeep.sqlite3")
    again.wait_for_line("ready at")
    assert again.stop() == 0


def test_every_wrong_setting_at_once(folder: Path) -> None:
    wrong = {"STORYKEEP_ARTIFACT_TTL": "soon", "STORYKEEP_PROT": "1", "STORYKEEP_LIST_RATE": "-1"}
    code, words = refusal(folder, **wrong)
    assert code == 2
    assert all(name in words for name in wrong)
    assert "Traceback" not in words


def test_only_preparing(folder: Path) -> None:
    """What the one-shot container of a larger set-up runs."""

    def prepare(**more: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", "up", "--only", "migrate"],
            cwd=ROOT,
            env=environment(folder, free_port(), **more),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    public = "https://example.org/stories"
    assert f"{public}/setup/" in prepare(STORYKEEP_PUBLIC_URL=public)
    admin = {"STORYKEEP_ADMIN_USER": "root", "STORYKEEP_ADMIN_PASSWORD": "correct horse 42"}
    assert prepare(**admin) == ""
    assert prepare() == ""


def _catches_sigterm(pid: int) -> bool:
    """Whether a process has come so far as to end by itself when asked to."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_each_part_alone(folder: Path) -> None:
    """What the containers of a larger set-up run, with a Redis of their own."""
    base = folder.parent
    port = free_port()
    ours = environment(folder, port, STORYKEEP_REDIS_URL=f"unix://{base}/redis.sock")
    manage = [sys.executable, "manage.py", "up", "--only"]
    subprocess.run([*manage, "migrate"], cwd=ROOT, env=ours, check=True, capture_output=True)
    options = ["--port", "0", "--unixsocket", f"{base}/redis.sock", "--save", ""]
    redis = [redis_server.find().path, *options]
    commands = {"redis": redis} | {n: [*manage, n] for n in ("web", "worker", "scheduler")}
    running = {
        name: subprocess.Popen(
            command, cwd=ROOT, env=ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for name, command in commands.items()
    }

    def ready() -> bool:
        try:
            return _get(port, "/health/ready")[0] == 200
        except OSError:
            return False

    def worker_alive() -> bool:
        check = [sys.executable, "-m", "webapp.worker", "--check"]
        return subprocess.run(check, cwd=ROOT, env=ours, check=False).returncode == 0

    try:
        wait_for(ready, "web is ready")
        wait_for(worker_alive, "the worker gives a sign of life")
        wait_for(lambda: _catches_sigterm(running["scheduler"].pid), "the scheduler has started")
        assert {name: process.poll() for name, process in running.items()} == dict.fromkeys(running)
    finally:
        for process in reversed(running.values()):
            process.terminate()
        codes = {name: process.wait(PATIENCE_S) for name, process in running.items()}
    assert codes == dict.fromkeys(running, 0)


def test_below_a_path(up: Callable[..., Instance]) -> None:
    instance = up(STORYKEEP_PUBLIC_URL="https://example.org/stories", STORYKEEP_TRUSTED_PROXIES="1")
    assert instance.wait_for_line(r"ready at (\S+)")[1] == "https://example.org/stories"
    assert instance.wait_for_line(r"(https\S+/setup/\S+/)")[1].startswith(
        "https://example.org/stories/s"
    )
    for path in ("/login/", "/stories/login/"):  # cut off by the proxy, or not
        status, page = instance.get(path, Host="example.org")
        assert status == 200
        styles = re.search(rb'href="(/stories/static/base\.[0-9a-f]+\.css)"', page)
        assert styles
        assert instance.get(styles[1].decode(), Host="example.org")[0] == 200
    assert instance.get("/login/", Host="elsewhere.example")[0] == 400
    assert instance.stop() == 0
