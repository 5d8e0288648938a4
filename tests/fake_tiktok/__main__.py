"""`python -m tests.fake_tiktok`: the fake as a process of its own.

Prints one JSON line when it listens, {"proxy": url, "ca": path, "control": url, "scenario": name},
and runs until SIGTERM, SIGINT, or the end of its standard input when `--with-parent` is given.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from tests.fake_tiktok.proxy import FakeProxy, Pace
from tests.fake_tiktok.scenarios import DEMO_LINES, SCENARIOS
from tests.fake_tiktok.site import FakeTikTok


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_tiktok", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine")
    parser.add_argument("--dir", type=Path, required=True, help="for the authority")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="basic")
    parser.add_argument("--latency-ms", type=float, default=0, help="before each answer")
    parser.add_argument("--bytes-per-s", type=float, default=None, help="of each connection")
    parser.add_argument("--with-parent", action="store_true", help="stop when stdin ends")
    asyncio.run(serve(parser.parse_args()))


async def serve(options: argparse.Namespace) -> None:
    tiktok = FakeTikTok()
    SCENARIOS[options.scenario](tiktok)
    pace = Pace(options.latency_ms / 1000, options.bytes_per_s)
    proxy = FakeProxy(tiktok, options.dir, pace, options.port, options.host)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await proxy.start()
    ready = {
        "proxy": proxy.url,
        "ca": proxy.ca_path,
        "control": proxy.url,
        "scenario": options.scenario,
        "accounts": [account.name for account in tiktok.accounts.values()],
        "lines": list(DEMO_LINES) if options.scenario == "demo" else [],
    }
    sys.stdout.write(f"{json.dumps(ready)}\n")
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if options.with_parent:
        asyncio.get_running_loop().add_reader(sys.stdin, lambda: _at_end(stopped))
    await stopped.wait()
    await proxy.stop()
    for error in proxy.errors:
        sys.stderr.write(f"{error!r}\n")


def _at_end(stopped: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stopped.set()


if __name__ == "__main__":
    main()
