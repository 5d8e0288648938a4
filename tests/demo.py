"""`make demo`: the whole app against a make-believe TikTok, for a first look, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "demo"
NAME, PASSWORD = "demo", "demodemo"
NOTE = "Demo: this instance talks to a make-believe TikTok. Nothing it shows is real."
KEPT = ("STORYKEEP_PORT", "STORYKEEP_BIND", "STORYKEEP_LOG_LEVEL")


def main() -> None:
    """Start the make-believe TikTok and become `manage.py up`, pointed at it."""
    shutil.rmtree(FOLDER / "data", ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    print("Making pictures and videos for the demo ...", flush=True)  # noqa: T201
    fake = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.fake_tiktok", "--with-parent"),
            *("--dir", str(FOLDER), "--scenario", "demo", "--latency-ms", "80"),
            *("--bytes-per-s", str(2 * 1024 * 1024)),  # slow enough to see it work
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for `up`; this ends when `up` has
    )
    assert fake.stdin
    assert fake.stdout
    line = fake.stdout.readline()
    if not line:
        sys.exit("The make-believe TikTok did not start.")
    ready = json.loads(line)
    os.set_inheritable(fake.stdin.fileno(), True)
    names = "\n".join(f"    {line}" for line in ready["lines"])
    print(  # noqa: T201
        f"\nDEMO. Nothing here leaves this machine.\n\n"
        f"  Sign in as {NAME!r} with the password {PASSWORD!r}, and paste:\n{names}\n",
        flush=True,
    )
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STORYKEEP_") or name in KEPT
    }
    os.chdir(ROOT)
    os.execve(  # noqa: S606
        sys.executable,
        [sys.executable, "manage.py", "up"],
        inherited
        | {
            "STORYKEEP_DATA_DIR": str(FOLDER / "data"),
            "STORYKEEP_PROXY": ready["proxy"],
            "STORYKEEP_CA_BUNDLE": ready["ca"],
            "STORYKEEP_INSTANCE_NOTE": NOTE,
            "STORYKEEP_ADMIN_USER": NAME,
            "STORYKEEP_ADMIN_PASSWORD": PASSWORD,
            "STORYKEEP_LIST_RATE": "0",
        },
    )


if __name__ == "__main__":
    main()
