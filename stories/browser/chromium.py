"""A Chromium of this machine: found on the PATH, started, and ended with all of its processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from stories.browser.folder import BrowserFolder
from stories.browser.pipe import PipeChannel, pipe_pair
from stories.ways import WayFailed

NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "chromium-headless-shell",
    "chrome-headless-shell",
)
"""What it is called, in the order it is looked for."""

_FEATURES_OFF: Final = (
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "DialMediaRouteProvider",
    "InterestFeedContentSuggestions",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "SpareRendererForSitePerProcess",
    "Translate",
    "WebUIOmniboxPopup",
)
_FLAGS: Final = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--no-service-autorun",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-notifications",
    "--disable-sync",
    f"--disable-features={','.join(_FEATURES_OFF)}",
    "--deny-permission-prompts",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
    "--lang=en-US",
    "--window-size=1280,900",
    # What Chromium wants for itself leads nowhere; each page's context goes through the guard, for
    # loopback too, and by nothing beside it.
    "--proxy-server=http://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    "--dns-prefetch-disable",
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--block-new-web-contents",
)
# Descriptors 3 and 4 are where Chromium looks for its pipes; `exec`, so that no process of ours
# stays in between.
_LAUNCHER: Final = (
    "import fcntl, os, sys\n"
    "ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 16) for end in sys.argv[1:3]]\n"
    "os.dup2(ends[0], 3), os.dup2(ends[1], 4)\n"
    "os.closerange(5, 256)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)
_TAIL_BYTES: Final = 4096


def find_chromium() -> str | None:
    """The path of the first Chromium on the PATH; None when there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def brand_of(executable: str) -> str:
    """The name a browser is sold under; "" for Chromium."""
    return "Google Chrome" if Path(executable).name.startswith("google-chrome") else ""


class Chromium:
    """A running Chromium. channel: to its DevTools.

    Its processes are a group of their own, which `aclose` kills whole; they also end when this
    process does, however it does, as the pipe closes then.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, channel: PipeChannel, folder: BrowserFolder
    ) -> None:
        self._process, self.channel, self._folder = process, channel, folder
        self._tail = bytearray()
        self._drain = asyncio.create_task(self._read_errors())

    @classmethod
    async def start(
        cls,
        executable: str,
        *,
        flags: Sequence[str] = (),
        prepare: Callable[[Path], None] = lambda _: None,
        parent: Path | None = None,
    ) -> Chromium:
        """Start it. Raises WayFailed.

        prepare: called in a thread with its home before it starts. parent: where its folder is
        made.
        """
        folder = await _prepared_folder(parent, prepare)
        try:
            process, channel = await _spawn(executable, folder.path, flags)
        except BaseException as error:
            await asyncio.to_thread(folder.remove)
            if isinstance(error, OSError):
                raise WayFailed("the browser cannot be started") from error
            raise
        return cls(process, channel, folder)

    @property
    def pid(self) -> int:
        """Its process, which is also its group."""
        return self._process.pid

    def trouble(self) -> str:
        """Why it did not start, as far as its own words are known; else that it did not."""
        words = self._tail.decode("utf-8", "replace")
        if "sandbox" in words and "usable" in words:
            return "the browser finds no sandbox here"
        if "error while loading shared libraries" in words:
            return "the browser lacks a library"
        return "the browser did not start"

    async def _read_errors(self) -> None:
        """Its words to the end, of which the last few stay."""
        stream = self._process.stderr
        while stream is not None and (chunk := await stream.read(_TAIL_BYTES)):
            self._tail += chunk
            del self._tail[:-_TAIL_BYTES]

    def kill(self) -> None:
        """Kill every process of it. Raises nothing."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def aclose(self) -> None:
        """Kill it, wait for its end, and remove its folder, also when cancelled. Raises nothing."""
        self.kill()
        try:
            await self.channel.aclose()
            await self._process.wait()
        finally:
            self._drain.cancel()
            await asyncio.gather(self._drain, return_exceptions=True)
            await asyncio.to_thread(self._folder.remove)


async def _prepared_folder(parent: Path | None, prepare: Callable[[Path], None]) -> BrowserFolder:
    """A new folder, prepared. Raises WayFailed, also as `prepare` does.

    Cancelled, it waits for the thread that makes it: what that made would be left for good.
    """

    def make() -> BrowserFolder:
        try:
            folder = BrowserFolder(parent)
        except OSError as error:
            raise WayFailed("no folder could be made for the browser") from error
        try:
            prepare(folder.path)
        except BaseException as error:
            folder.remove()
            if isinstance(error, OSError):
                raise WayFailed("the browser cannot be started") from error
            raise
        return folder

    # No task, which a loop that ends would cancel as well.
    making = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait({making})
        if making.exception() is None:
            await asyncio.to_thread(making.result().remove)
        raise


async def _spawn(
    executable: str, home: Path, flags: Sequence[str]
) -> tuple[asyncio.subprocess.Process, PipeChannel]:
    """The process and the pipe to it. Raises OSError."""
    their_reads, our_writes = pipe_pair()
    our_reads, their_writes = pipe_pair()
    try:
        ends = (their_reads.fileno(), their_writes.fileno())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCHER),
            *(str(end) for end in ends),
            executable,
            *_FLAGS,
            f"--user-data-dir={home / 'profile'}",
            # As root there is no sandbox, and a browser without one would not start.
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),
            *flags,
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={
                "HOME": str(home),
                "TMPDIR": str(home),
                "XDG_RUNTIME_DIR": str(home),
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
            },
            cwd=home,
            pass_fds=ends,
            start_new_session=True,
        )
    except BaseException:
        our_writes.close()
        our_reads.close()
        raise
    finally:
        their_reads.close()
        their_writes.close()
    try:
        return process, await PipeChannel.open(our_reads, our_writes)
    except BaseException:
        our_writes.close()
        our_reads.close()
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
