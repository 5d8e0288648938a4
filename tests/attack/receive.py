"""`python -m tests.attack.receive`: every hostile answer, as a page and as a file.

Prints JSON: how each ended, as the codes of the page and of the file, and the memory taken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Final

from stories import wire
from stories.config import ClientConfig
from stories.errors import StoriesError
from stories.http.resolver import system_resolve
from stories.http.session import Session
from stories.media.download import transfer
from stories.transfer_slots import TransferSlots
from tests.attack.hostile_bodies import BODIES
from tests.attack.reach import FILE, PAGE, session
from tests.unit.stories.http.loopback import Asked, loopback
from tests.unit.stories.wire.payloads import ASKED

ANSWER_S: Final = 40
"""Seconds one answer may take; the session gives it three."""
FILE_LIMIT: Final = 4 * 2**20
AT_ONCE: Final = 8
PATIENCE_S: Final = 1.5


async def _ended(asking: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(ANSWER_S):
            await asking
    except StoriesError as error:
        return error.code
    except TimeoutError:
        return "took too long"
    return "taken"


async def _page(here: Session) -> None:
    page = await here.get_page(PAGE)
    wire.profile_author(page.body, ASKED)


async def _file(here: Session, config: ClientConfig) -> None:
    with tempfile.TemporaryFile() as sink:
        await transfer(
            here, FILE, sink, config=config, slots=TransferSlots(4), limit_bytes=FILE_LIMIT
        )


async def _receive(name: str, folder: Path, *, curl: bool) -> tuple[str, str]:
    """How a page and a file ended that were answered in this way."""
    send = BODIES[name]()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await send(writer)

    async with loopback(folder, answer) as server:
        proxy, ca = server.proxy, server.ca_path
        way = session(system_resolve, proxy=proxy, ca=ca, curl=curl, patience_s=PATIENCE_S)
        async with way as (here, _, _):
            page = await _ended(_page(here))
            file = await _ended(_file(here, ClientConfig(read_timeout_s=PATIENCE_S)))
    return page, file


async def _receive_all(folders: list[Path], *, curl: bool) -> dict[str, tuple[str, str]]:
    """Some at once: most of them are waited for, not worked on."""
    some = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, own: Path) -> tuple[str, str]:
        async with some:
            return await _receive(name, own, curl=curl)

    ended = await asyncio.gather(*map(one, BODIES, folders))
    return dict(zip(BODIES, ended, strict=True))


def main() -> int:
    """Receive all of them over one transport of pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", choices=("curl", "httpx"), default="curl")
    given = parser.parse_args()
    for make in BODIES.values():
        make()  # what the server sends is not what we take
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder, str(number)) for number in range(len(BODIES))]
        for own in folders:
            own.mkdir()
        ended = asyncio.run(_receive_all(folders, curl=given.pages == "curl"))
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(json.dumps({"ended": ended, "taken_mib": taken // 1024}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
