"""`python -m tests.attack.fuzz`: every parser on bytes that a coverage-guided fuzzer makes up.

    python -m tests.attack.fuzz --seconds 60
    python -m tests.attack.fuzz --seconds 600 --only picture video --corpus build/corpus

The time is shared by the targets (tests/attack/fuzzers/), each in a process of its own, one after
the other. A target fails when it raises what is not ours, takes ten seconds over one input, or more
memory than it may; the input is kept and shown. Atheris guides the search; where it is not
installed, seeds are damaged blindly, which is said. With REQUIRE_ATHERIS=1 that is a failure.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
INPUT_S: Final = 10
MEMORY_MIB: Final = 1536
LATE_S: Final = 240
"""How much longer than its time a target's process may take: to start, and over its last input."""


def _targets() -> dict[str, Any]:
    from tests.attack.fuzzers import files, text, wire

    return {target.name: target for room in (text, wire, files) for target in room.TARGETS}


NAMES: Final = (
    *("prose", "link", "address"),
    *("answers", "puzzle", "headers", "body"),
    *("jpeg", "webp", "frames", "picture", "video", "song"),
)


# --- one target, in a process of its own ----------------------------------------------------------


def _run_guided(name: str, seconds: int, corpus: Path, seed: int) -> None:
    """Run atheris, which ends the process by itself."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["stories"]):
        target = _targets()[name]
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data[: target.most_bytes])
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.most_bytes}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={corpus.parent}/",
        f"-seed={seed}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
    atheris.Fuzz()


def _run_blind(name: str, seconds: int, corpus: Path, seed: int) -> None:
    """Damage the seeds by chance, again and again."""
    from tests.attack.mutation import damaged

    target = _targets()[name]
    resource.setrlimit(resource.RLIMIT_AS, (4 * MEMORY_MIB * 2**20, resource.RLIM_INFINITY))
    pool, rng = list(target.seeds()), random.Random(seed)
    ends_at, count = time.monotonic() + seconds, 0
    failing = corpus.parent / "crash-blind"
    while time.monotonic() < ends_at:
        data = rng.choice(pool)
        for _ in range(rng.choice((1, 1, 2, 3))):
            _, data = damaged(data, rng.randrange(2**32))
        data = data[: target.most_bytes]
        failing.write_bytes(data)
        signal.alarm(INPUT_S)
        target.run(data)  # what it raises ends the process
        signal.alarm(0)
        count += 1
    failing.unlink(missing_ok=True)
    sys.stderr.write(f"Done {count} runs, unguided\n")


# --- all of them ----------------------------------------------------------------------------------


def _summary(text: str) -> str:
    runs = re.findall(r"Done (\d+) runs", text)
    covered = re.findall(r"cov: (\d+)", text)
    edges = f", {covered[-1]} edges" if covered else ""
    return f"{runs[-1] if runs else '?'} inputs{edges}"


def _fuzz(name: str, seconds: int, corpus: Path, seed: int) -> bool:
    """Run one target; whether it held."""
    corpus.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "tests.attack.fuzz", "--child", name, "--seed", str(seed)]
    argv += ["--seconds", str(seconds), "--corpus", str(corpus)]
    try:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + LATE_S,
            check=False,
        )
        text, held = done.stdout.decode("utf-8", "replace"), done.returncode == 0
    except subprocess.TimeoutExpired as late:
        text, held = (late.stdout or b"").decode("utf-8", "replace") + "\nno end in time", False
    sys.stdout.write(f"{name:10} {'held  ' if held else 'FAILED'} {_summary(text)}\n")
    if not held:
        told = [line for line in text.splitlines() if not line.startswith("INFO: Instrumenting")]
        sys.stdout.write("\n".join(told)[-6000:] + "\n")
        for found in sorted(corpus.parent.glob("*-*")):
            if found.is_file():
                sys.stdout.write(f"{found.name}: {found.read_bytes()[:400]!r}\n")
    sys.stdout.flush()
    return held


def main() -> int:
    """Share the time among the targets; 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--only", nargs="*", default=list(NAMES), choices=NAMES, metavar="NAME")
    parser.add_argument("--corpus", type=Path, help="keep what was found worth keeping")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    guided = find_spec("atheris") is not None
    if given.child:
        run = _run_guided if guided else _run_blind
        run(given.child, given.seconds, given.corpus, given.seed)
        return 0
    if not guided:
        sys.stdout.write("atheris is not installed: inputs are made up blindly.\n")
        if os.environ.get("REQUIRE_ATHERIS") == "1":
            return 1
    share = max(1, given.seconds // len(given.only))
    with tempfile.TemporaryDirectory() as folder:
        held = [
            _fuzz(name, share, (given.corpus or Path(folder)) / name / "corpus", given.seed)
            for name in given.only
        ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
