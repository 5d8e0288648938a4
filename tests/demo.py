"""`make demo`: the whole app against a make-believe TikTok, for a first look, without a network.

Needs nothing beyond requirements/base.lock. Prints a link that opens it signed in, once; with a
desktop it opens by itself.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "demo"
NAME, PASSWORD = "demo", "demodemo"
NOTE = "Demo: this instance talks to a make-believe TikTok. Nothing it shows is real."
KEPT = (
    *("STORYKEEP_PORT", "STORYKEEP_BIND", "STORYKEEP_LOG_LEVEL"),
    *("STORYKEEP_BROWSER", "STORYKEEP_PROTOCOL_KEY"),
)


def main() -> None:
    """Start the make-believe TikTok and become `manage.py up`, pointed at it."""
    shutil.rmtree(FOLDER / "data", ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    _say("Making pictures and videos for the demo, a minute the first time ...")
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
    environment = _environment(ready)
    os.chdir(ROOT)
    link = _make_link(ready, environment)
    _say(
        "\nDEMO. Nothing here leaves this machine.\n\n"
        f"  Open this, it signs you in (once):\n\n    {link}\n\n"
        f"  or sign in as {NAME!r} with the password {PASSWORD!r}. Ctrl-C stops it all.\n"
    )
    if sys.stdout.isatty() and _has_desktop():
        webbrowser.open(link)
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "manage.py", "up"], environment
    )


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201


def _has_desktop() -> bool:
    """Whether a browser would open in a window of its own, and not in this terminal."""
    return sys.platform == "darwin" or any(
        os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _environment(ready: Mapping[str, str]) -> dict[str, str]:
    """The environment of the demo's instance. ready: what the make-believe TikTok printed."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STORYKEEP_") or name in KEPT
    }
    return inherited | {
        "STORYKEEP_DATA_DIR": str(FOLDER / "data"),
        "STORYKEEP_PROXY": ready["proxy"],
        "STORYKEEP_CA_BUNDLE": ready["ca"],
        "STORYKEEP_INSTANCE_NOTE": NOTE,
        "STORYKEEP_ADMIN_USER": NAME,
        "STORYKEEP_ADMIN_PASSWORD": PASSWORD,
        "STORYKEEP_LIST_RATE": "0",
    }


def _make_link(ready: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """The address that signs a browser in, once, and shows the box with names in it."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.demo_session", NAME],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        sys.exit(made.stderr)
    name, value = json.loads(made.stdout.splitlines()[-1])
    port = environment.get("STORYKEEP_PORT", "8000")
    text = urlencode({"text": "\n".join(ready["lines"])})
    token = secrets.token_urlsafe(16)
    body = {
        "token": token,
        "cookie": [name, value],
        "to": f"http://127.0.0.1:{port}/?{text}",
    }
    request = Request(f"{ready['control']}/welcome", json.dumps(body).encode(), method="POST")
    with urlopen(request):
        return f"{ready['control']}/welcome/{token}"


if __name__ == "__main__":
    main()
