"""Run a command with `STORYKEEP_DATABASE_URL` pointing at a throwaway PostgreSQL.

`python -m tests.postgres COMMAND …`. The cluster lives in a temporary folder and listens on a
socket there; it is stopped and removed afterwards. PostgreSQL refuses to run as root: then it runs
as the user `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

FAST = {  # nothing of it is kept
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
}


def binaries() -> Path:
    """Where initdb and postgres are: the newest of Debian's, else on the PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    initdb = shutil.which("initdb")
    if not initdb:
        sys.exit("PostgreSQL is not installed (on Debian: apt install postgresql).")
    return Path(initdb).resolve().parent


def owner() -> pwd.struct_passwd | None:
    """Who the server runs as; None for ourselves."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    sys.exit("PostgreSQL does not run as root, and there is no user postgres or nobody.")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server. pid: of its first process. log: what it wrote."""

    url: str
    pid: int
    log: Path


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """A throwaway server with FAST and these settings, gone at the end of the block."""
    bin_folder, user = binaries(), owner()
    folder = Path(tempfile.mkdtemp(prefix="sk-pg-"))
    folder.chmod(0o711)
    data, sockets = folder / "cluster", folder / "s"
    as_owner: dict[str, Any] = {"cwd": folder}
    for place in (data, sockets):
        place.mkdir(mode=0o700)
        if user:
            os.chown(place, user.pw_uid, user.pw_gid)
    if user:
        as_owner |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    server = None
    try:
        subprocess.run(
            [
                *(bin_folder / "initdb", "-D", data, "-U", "storykeep", "-A", "trust"),
                *("--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
            **as_owner,
        )
        chosen = FAST | settings
        options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [str(bin_folder / "postgres"), "-D", str(data), "-k", str(sockets), *options],
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; we stop it afterwards
                **as_owner,
            )
        ready = [str(bin_folder / "pg_isready"), "-q", "-h", str(sockets), "-t", "30"]
        while subprocess.run(ready, check=False).returncode:
            if server.poll() is not None:
                sys.exit((folder / "log").read_text(errors="replace"))
        url = f"postgres://storykeep@{quote(str(sockets), safe='')}/postgres"
        yield Cluster(url, server.pid, folder / "log")
    finally:
        if server:
            server.send_signal(signal.SIGINT)  # a fast stop: it does not wait for connections
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """The exit code of the command."""
    with cluster() as server:
        environment = {**os.environ, "STORYKEEP_DATABASE_URL": server.url}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
