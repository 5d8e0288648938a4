"""What a program cannot do that the launcher started."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stories.helper.confinement import Limits, shut_in, what_holds

HOLDS = what_holds(Path("/nonexistent"))


def holds(*words: str) -> pytest.MarkDecorator:
    """Where the kernel cannot do it, docs/security.md says what is left."""
    return pytest.mark.skipif(not HOLDS.issuperset(words), reason="not by this kernel")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


ORDINARY = Limits()


def run(
    folder: Path, code: str, *, port: int = 1, limits: Limits = ORDINARY
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", f"import os, socket, sys\n{code}"]
    line = shut_in(command, write=folder, read=[Path(sys.prefix)], port=port, limits=limits)
    return subprocess.run(
        line, cwd=folder, env={"HOME": str(folder)}, capture_output=True, text=True, timeout=30
    )


def refused(folder: Path, code: str, error: str = "PermissionError", *, port: int = 1) -> bool:
    done = run(folder, code, port=port)
    return done.returncode != 0 and error in done.stderr


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody who listens."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_it_works_in_its_own_folder(folder: Path) -> None:
    code = """
os.mkdir("sub"); open("sub/file", "w").write("x"); os.rename("sub/file", "sub/other")
import hashlib, json, ssl
ssl.create_default_context()
print(open("sub/other").read(), os.urandom(1) != b"", file=open("told", "w"))
open(os.devnull, "w").write("x")
"""
    done = run(folder, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "told").read_text() == "x True\n"


@holds("files")
def test_it_writes_nowhere_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "saved").write_text("mine")
    for path in (tmp_path / "saved", tmp_path / "new", Path("/tmp/new")):
        assert refused(folder, f"open({str(path)!r}, 'w')")
    assert refused(folder, f"os.unlink({str(tmp_path / 'saved')!r})")
    assert refused(folder, f"os.mkdir({str(tmp_path / 'made')!r})")
    linked = f"os.symlink({str(tmp_path / 'saved')!r}, 'link'); open('link', 'w')"
    assert refused(folder, linked)
    assert refused(folder, f"os.link({str(tmp_path / 'saved')!r}, 'hard')", "Error")
    assert (tmp_path / "saved").read_text() == "mine"


@holds("files")
def test_it_reads_nothing_of_ours(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("mine")
    assert refused(folder, f"open({str(tmp_path / 'secret-key')!r})")
    assert refused(folder, f"os.listdir({str(tmp_path)!r})")
    for path in ("/proc/self/environ", "/proc/1/environ", "/etc/passwd", "/root"):
        assert refused(
            folder, f"os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r})"
        )


@holds("ports")
def test_it_connects_to_one_port_alone(folder: Path, port: int) -> None:
    connect = f"socket.create_connection(('127.0.0.1', {port}), 5)"
    assert run(folder, connect, port=port).returncode == 0
    assert refused(folder, connect, port=port + 1)
    assert refused(folder, "socket.create_connection(('192.0.2.1', 443), 5)", port=port)
    assert refused(folder, "socket.create_server(('127.0.0.1', 0))", port=port)


@holds("sockets")
def test_it_asks_no_name_server_and_no_socket_of_this_machine(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        code = f"socket.socket(socket.AF_UNIX).connect({str(path)!r})"
        assert refused(folder, code)
    for kind in ("AF_INET, socket.SOCK_DGRAM", "AF_INET6, socket.SOCK_DGRAM"):
        assert refused(folder, f"socket.socket(socket.{kind})")
    assert refused(folder, "socket.socket(socket.AF_INET, socket.SOCK_RAW)")
    assert refused(folder, "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)")
    assert refused(folder, "socket.socketpair()")
    assert refused(folder, "socket.getaddrinfo('www.example.com', 443)", "gaierror")


@holds("processes")
def test_it_cannot_leave_its_group(folder: Path) -> None:
    assert refused(folder, "os.setsid()")
    assert refused(folder, "os.setpgid(0, 0)")
    name_space = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x10000000) and sys.exit(f"error {ctypes.get_errno()}")
"""
    assert refused(folder, name_space, "error 1")


@holds("processes")
def test_it_changes_no_mode_no_time_and_nobodys_limits(folder: Path, tmp_path: Path) -> None:
    """Landlock lets these pass."""
    saved = tmp_path / "saved"
    saved.write_text("mine")
    before = saved.stat()
    for call in ("chmod({}, 0)", "chown({}, 1, 1)", "utime({}, (0, 0))"):
        assert refused(folder, f"os.{call.format(repr(str(saved)))}")
    assert refused(folder, f"os.setxattr({str(saved)!r}, 'user.x', b'1')")
    after = saved.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime,
    )
    with subprocess.Popen(["sleep", "30"]) as bystander:
        limit = f"resource.prlimit({bystander.pid}, resource.RLIMIT_NOFILE, (0, 0))"
        assert refused(folder, f"import resource; {limit}")
        assert refused(folder, f"os.setpriority(os.PRIO_PROCESS, {bystander.pid}, 19)")
        bystander.kill()


@holds("processes")
def test_it_may_have_threads_where_its_user_may(folder: Path) -> None:
    """A call the C library can do without is not known, rather than refused."""
    code = "import threading\nt = threading.Thread(target=print, args=('x',)); t.start(); t.join()"
    done = run(folder, code)
    assert done.stdout == "x\n" or "can't start new thread" in done.stderr


@holds("signals")
def test_it_cannot_end_anybody(folder: Path) -> None:
    with subprocess.Popen(["sleep", "30"]) as bystander:
        assert refused(folder, f"os.kill({bystander.pid}, 9)")
        assert bystander.poll() is None
        bystander.kill()


def test_it_has_little_time_memory_and_disk(folder: Path) -> None:
    assert run(folder, "while True: pass", limits=Limits(cpu_s=1)).returncode == -9
    assert refused(folder, "x = bytearray(2 * 10**9)", "MemoryError")
    big = "f = open('big', 'wb')\nfor _ in range(64): f.write(bytes(2**20))"
    done = run(folder, big)
    assert done.returncode != 0
    assert (folder / "big").stat().st_size <= 16 * 2**20
    many = "files = [open(os.devnull) for _ in range(1000)]"
    assert refused(folder, many, "Too many open files")


def test_a_limit_in_force_is_never_raised(folder: Path) -> None:
    code = "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert run(folder, code, limits=Limits(files=10**9)).returncode == 0


def test_it_is_not_started_for_a_worker_that_died(folder: Path) -> None:
    line = shut_in([sys.executable, "-c", "print('here')"], write=folder, read=[], port=1)
    shell = [*line[:4], line[4].replace('"parent": ', '"parent": 1'), *line[5:]]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
