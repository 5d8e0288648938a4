"""A container engine of one's own, where there is none: Debian 13's, in namespaces of its own.

Needs root, Debian as the host, and its package `mmdebstrap`. The engine's files are made from
Debian's packages in a folder; the daemon sees that folder as its root, has a network of its own
behind a pair of virtual interfaces, and processes of its own, so that ending one process ends all.
On the host are, until `close`: one interface, one NAT rule, and the switch that forwards packets.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.compose.commands import CommandFailed, run
from tests.compose.debian_roots import ENGINE, make_roots
from tests.compose.engine import Engine, NoEngine

WORK: Final = "/work"
"""Where the engine sees the folder that the trial works in."""
TOOLS: Final = ("ip", "iptables", "mount", "nsenter", "pivot_root", "setpriv", "unshare")
SWITCH: Final = Path("/proc/sys/net/ipv4/ip_forward")
READY_WITHIN_S: Final = 60.0
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# $1: the engine's folder, $2: the trial's. Of a machine with both kinds of control groups the
# engine sees the old ones alone: it would take the mixture for the new kind.
ENTER: Final = r"""
set -e
umount /sys/fs/cgroup/unified 2>/dev/null || true
mount --bind "$1" "$1"
cd "$1"
mkdir -p ".$3" .old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$2" ".$3"
pivot_root . .old
cd /
umount -l /.old
exec docker-init -- sleep infinity
"""


class DebianEngine(Engine):
    """The daemon in its namespaces. work: the folder it shares with the trial; roots: where the
    engine's own files are kept for the next time."""

    own = True

    def __init__(self, work: Path, roots: Path) -> None:
        super().__init__(work)
        self._roots = roots
        tag = secrets.token_hex(2)
        self._here, self._there = f"sk{tag}a", f"sk{tag}b"
        third = int(tag[:2], 16)
        self._network = f"10.231.{third}.0/24"
        self.host_address = f"10.231.{third}.1"
        self.published_address = f"10.231.{third}.2"
        self._tag = f"storykeep-{tag}"
        self._holder: subprocess.Popen[bytes] | None = None
        self._inside = 0
        self._daemon: subprocess.Popen[bytes] | None = None
        self._forwarded = ""
        self._rule: list[str] = []

    def open(self) -> None:
        """Make what is missing, and start the daemon. Raises NoEngine."""
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        if os.geteuid():
            raise NoEngine("there is no engine here, and making one needs root")
        if missing:
            raise NoEngine(f"there is no engine here, and making one needs {', '.join(missing)}")
        if not shutil.which("mmdebstrap"):
            raise NoEngine("there is no engine here; apt-get install mmdebstrap, to make one")
        make_roots(self._roots)
        root = self._roots / ENGINE.name
        try:
            self._enter(root)
            self._connect(root)
            self._start_daemon()
        except (CommandFailed, OSError) as error:
            raise NoEngine(f"the engine does not start here: {error}") from error

    def _enter(self, root: Path) -> None:
        self._holder = subprocess.Popen(
            [
                # Also when this program is killed outright.
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--net", "--mount", "--propagation", "private"),
                *("--pid", "--fork", "--kill-child"),
                *("sh", "-c", ENTER, "sh", str(root), str(self.work), WORK),
            ],
            stdin=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self._holder.poll() is not None:
                raise OSError("its namespaces cannot be made")
            for child in map(int, children.read_text().split()):
                if Path(f"/proc/{child}/comm").read_text().strip() == "docker-init":
                    self._inside = child
                    return
            time.sleep(0.05)
        raise OSError("its namespaces were not ready in time")

    def _connect(self, root: Path) -> None:
        """A network between this machine and the engine's, and a way from there to the outside."""
        address, there = f"{self.host_address}/24", f"{self.published_address}/24"
        inside = ["nsenter", "-t", str(self._inside), "-n", "ip"]
        run(["ip", "link", "add", self._here, "type", "veth", "peer", "name", self._there])
        run(["ip", "link", "set", self._there, "netns", str(self._inside)])
        run(["ip", "addr", "add", address, "dev", self._here])
        run(["ip", "link", "set", self._here, "up"])
        run([*inside, "addr", "add", there, "dev", self._there])
        run([*inside, "link", "set", self._there, "up"])
        run([*inside, "link", "set", "lo", "up"])
        run([*inside, "route", "add", "default", "via", self.host_address])
        self._forwarded = SWITCH.read_text()
        SWITCH.write_text("1")
        rule = ["POSTROUTING", "-s", self._network, "!", "-d", self._network, "-j", "MASQUERADE"]
        run(["iptables", "-w", "-t", "nat", "-A", *rule])
        self._rule = rule
        # Followed to its end: it may be a link that leads nowhere in there.
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").write_text(Path("/etc/resolv.conf").read_text())

    def _start_daemon(self) -> None:
        # Without the right to raise limits, a container gets those there are, and no more.
        limits = []
        for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
            soft, hard = resource.getrlimit(number)
            if hard != resource.RLIM_INFINITY:
                limits.append(f"--default-ulimit={name}={min(soft, hard)}:{hard}")
        log = (self.work / "daemon.log").open("wb")
        self._daemon = subprocess.Popen(
            self.argv(
                "dockerd",
                f"--data-root={WORK}/docker",
                f"--cgroup-parent=/{self._tag}",
                "--exec-opt=native.cgroupdriver=cgroupfs",
                *limits,
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline and self._daemon.poll() is None:
            with contextlib.suppress(CommandFailed):
                run(self.argv("docker", "version"), limit_s=10)
                return
            time.sleep(0.5)
        said = (self.work / "daemon.log").read_text(errors="replace")
        raise OSError(f"the daemon gave no answer\n{said[-1000:]}")

    def argv(self, *command: str) -> list[str]:
        """A command that runs where the daemon does."""
        return [
            *("nsenter", "-t", str(self._inside), "-m", "-n", "-p", "-r", "-w"),
            *("env", "-i", f"PATH={PATH}", "HOME=/root", "DOCKER_CLI_HINTS=false"),
            *command,
        ]

    def seen(self, path: Path) -> str:
        """A path below the trial's folder, as the engine sees it."""
        return f"{WORK}/{path.relative_to(self.work).as_posix()}"

    def close(self) -> None:
        """Take everything away again that is not in the folders. May be called twice."""
        if self._daemon and self._daemon.poll() is None:
            self._daemon.terminate()
            # Its own processes end with it; those of a container that hangs, with the namespace.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._daemon.wait(30)
        if self._holder and self._holder.poll() is None:
            self._holder.kill()
            self._holder.wait(30)
        if self._daemon:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._daemon.wait(30)
        if self._rule:
            with contextlib.suppress(CommandFailed):
                run(["iptables", "-w", "-t", "nat", "-D", *self._rule])
            self._rule = []
        if self._forwarded:
            SWITCH.write_text(self._forwarded)
            self._forwarded = ""
        with contextlib.suppress(CommandFailed):
            run(["ip", "link", "del", self._here])
        for group in sorted(Path("/sys/fs/cgroup").glob(f"*/{self._tag}/**/"), reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()
