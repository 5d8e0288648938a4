"""Programs that the trial runs: with a time limit, their output kept, failures in their words."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT_S = 600.0
TOLD = 2000
"""Characters of a failed program's output that are told: the last ones."""


class CommandFailed(Exception):
    """A program ended with another exit code than 0, or did not end in time."""


def run(
    argv: Sequence[str],
    *,
    stdin: bytes | Path | None = None,
    limit_s: float = LIMIT_S,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """What a program printed, its errors as well. stdin: the bytes it reads, or a file of them.

    Raises CommandFailed.
    """
    named = " ".join(argv)
    opened = stdin.open("rb") if isinstance(stdin, Path) else None
    try:
        ended = subprocess.run(
            argv,
            stdin=opened or (subprocess.DEVNULL if stdin is None else None),
            input=stdin if isinstance(stdin, bytes) else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            cwd=cwd,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        raise CommandFailed(f"{named}: no end after {limit_s:.0f} s\n{said[-TOLD:]}") from error
    except OSError as error:
        raise CommandFailed(f"{named}: {error}") from error
    finally:
        if opened:
            opened.close()
    said = ended.stdout.decode(errors="replace")
    if ended.returncode:
        raise CommandFailed(f"{named}: exit code {ended.returncode}\n{said[-TOLD:]}")
    return said
