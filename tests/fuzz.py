"""`make fuzz`: an instance of its own against the make-believe TikTok, and every call of the API
with whatever its schema allows and forbids.

A failure is an answer of 500 or above, or one that the schema does not describe.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT: Final = Path(__file__).parents[1]
PATIENCE_S: Final = 60
FILE_S: Final = 15
ALL_S: Final = 60
CHECKS: Final = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "allow_header_conformance",
        "use_after_free",
        "ignored_auth",
    )
)
NAME: Final = "fuzz"


@contextlib.contextmanager
def running(argv: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block."""
    process = subprocess.Popen(argv, cwd=ROOT, text=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def ask(address: str, token: str = "", body: object = None) -> Any:
    """The JSON behind an address; None when nobody answers."""
    request = Request(address, json.dumps(body).encode() if body is not None else None)
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except HTTPError:
        raise
    except OSError:
        return None


def wait_for(address: str) -> None:
    """Until it answers."""
    deadline = time.monotonic() + PATIENCE_S
    while ask(address) is None:
        if time.monotonic() > deadline:
            sys.exit(f"nothing answers at {address}")
        time.sleep(0.2)


def fuzz(folder: Path, address: str, token: str, seconds: int, *arguments: str) -> int:
    """One run of schemathesis, of at most so many seconds; 0 when it found nothing."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--checks", CHECKS, "--max-time", str(seconds)),
            *("--request-timeout", "40", "--warnings", "off"),
            *arguments,
        ],
        cwd=folder,
        check=False,
    ).returncode


def main(arguments: list[str]) -> int:
    """0 when every answer was as promised. arguments: more for schemathesis."""
    with tempfile.TemporaryDirectory(prefix="sk-fuzz-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        fake = stack.enter_context(
            running(
                [
                    *(sys.executable, "-m", "tests.fake_tiktok", "--with-parent"),
                    *("--dir", name, "--scenario", "basic"),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        assert fake.stdout
        ready = json.loads(fake.stdout.readline())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        own = {key: value for key, value in os.environ.items() if not key.startswith("STORYKEEP_")}
        own |= {
            "STORYKEEP_DATA_DIR": str(folder / "data"),
            "STORYKEEP_PORT": str(port),
            "STORYKEEP_PROXY": ready["proxy"],
            "STORYKEEP_CA_BUNDLE": ready["ca"],
            "STORYKEEP_ADMIN_USER": NAME,
            "STORYKEEP_ADMIN_PASSWORD": NAME * 3,
            "STORYKEEP_LIST_RATE": "0",
            "STORYKEEP_API_RATE": "0",
            "STORYKEEP_LOG_LEVEL": "ERROR",
        }
        log = stack.enter_context((folder / "log").open("w+"))
        stack.enter_context(
            running([sys.executable, "manage.py", "up"], env=own, stdout=log, stderr=log)
        )
        address = f"http://127.0.0.1:{port}/api/v1"
        wait_for(f"{address}/openapi.json")
        created = subprocess.run(
            [sys.executable, "manage.py", "token", NAME],
            cwd=ROOT, env=own, capture_output=True, text=True, check=True,
        )  # fmt: skip
        token = created.stdout.strip()
        lines = [*ready["accounts"], "https://www.tiktok.com/tag/cats"]
        job = ask(f"{address}/jobs?wait=30", token, {"lines": lines})
        files = [
            file["id"]
            for item in job["items"]
            for story in item["stories"]
            for file in story["files"]
        ]
        # First with a file that is there, which no generator would guess; then everything.
        (folder / "schemathesis.toml").write_text(f'[parameters]\n"path.file_id" = "{files[0]}"\n')
        code = fuzz(folder, address, token, FILE_S, "--include-path-regex", "/files/", *arguments)
        (folder / "schemathesis.toml").unlink()
        code = fuzz(folder, address, token, ALL_S, *arguments) or code
        log.seek(0)
        output = log.read()
        if "Traceback" in output or " bug " in output:
            sys.stdout.write(output[-20_000:])
            return 1
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
