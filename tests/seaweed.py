"""A real object store, SeaweedFS, run for a test (`make stores` installs it)."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.buckets import BUCKET

KEY_ID, SECRET_KEY = "key", "secret"
STARTS_WITHIN_S = 180.0
ATTEMPTS = 3


def binary() -> str | None:
    """The path of its program; None where there is none."""
    ours = Path(sys.executable).parent
    return shutil.which("weed", path=os.pathsep.join([str(ours), os.environ.get("PATH", "")]))


def _free_ports(count: int) -> list[int]:
    """Each with a free one 10000 above. Both are below those that the system gives to whoever asks
    for any: other tests took them before the store did."""
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            port = random.randrange(11_000, 22_000)
            with contextlib.suppress(OSError):
                for number in (port, port + 10_000):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
                ports.append(port)
    return ports


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """The endpoint of a store with an empty bucket. folder: for its files."""
    said = ""
    for attempt in range(1, ATTEMPTS + 1):
        server, endpoint, log = _start(folder / f"attempt-{attempt}")
        try:
            if not _made_bucket(endpoint, server):
                said = log.read_text(errors="replace")[-4000:]
                continue
            yield endpoint
            return
        finally:
            server.kill()
            server.wait()
    raise AssertionError(f"the store ended {ATTEMPTS} times while it started: {said}")


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], str, Path]:
    """The process, its endpoint, and its log."""
    program = binary()
    assert program
    folder.mkdir()
    identity = {
        "name": "storykeep",
        "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    master, volume, filer, s3 = _free_ports(4)
    with (folder / "weed.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(program, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1"),
                *("-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}"),
                *(f"-filer.port={filer}", "-s3", f"-s3.port={s3}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0"),
                *(f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64"),
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return server, f"http://127.0.0.1:{s3}", folder / "weed.log"


def client(endpoint: str) -> Any:
    """Amazon's own client, for what a test wants to see."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10),
    )


def _made_bucket(endpoint: str, server: subprocess.Popen[bytes]) -> bool:
    """Return when the store has taken a first object; False when it ended before."""
    from botocore.exceptions import BotoCoreError, ClientError

    asking = client(endpoint)
    deadline = time.monotonic() + STARTS_WITHIN_S
    while server.poll() is None:
        try:
            with contextlib.suppress(asking.exceptions.BucketAlreadyExists):
                asking.create_bucket(Bucket=BUCKET)
            asking.put_object(Bucket=BUCKET, Key="first", Body=b"x")
            asking.delete_object(Bucket=BUCKET, Key="first")
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return True
    return False
