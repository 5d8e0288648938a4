"""As much of W3C WebDriver as these tests need, spoken to WebKitWebDriver."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import httpx

from tests.browser.conftest import free_port

DRIVER: Final = Path("/usr/bin/WebKitWebDriver")
VIEW: Final = Path(__file__).with_name("webkit_view.py")
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
_PATIENCE_S: Final = 60.0
KEYS: Final[Mapping[str, str]] = {
    "Escape": "\ue00c",
    "Enter": "\ue007",
    "Tab": "\ue004",
    "Space": " ",
    "ArrowLeft": "\ue012",
    "ArrowRight": "\ue014",
}
"""Keys that are not letters, by the names Playwright gives them."""


class WebDriverError(Exception):
    """The driver refused a command: its error and message."""


class Session:
    """A window of WebKit."""

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._client = httpx.Client(base_url=address, timeout=_PATIENCE_S, trust_env=False)
        options = {"binary": str(VIEW), "args": []}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        made = self._send("POST", "/session", {"capabilities": wanted})
        self._path = f"/session/{made['sessionId']}"
        self.do("POST", "/timeouts", {"script": 30_000, "pageLoad": 60_000, "implicit": 0})

    def _send(self, method: str, path: str, body: object = None) -> Any:
        answer = self._client.request(method, path, json=body if method == "POST" else None)
        value = answer.json()["value"]
        if answer.is_error:
            raise WebDriverError(f"{value['error']}: {value['message']}")
        return value

    def do(self, method: str, path: str, body: object = None) -> Any:
        """A command of this session; its answer's value. Raises WebDriverError."""
        return self._send(method, f"{self._path}{path}", {} if body is None else body)

    def js(self, script: str, *values: object) -> Any:
        """What a function body returns; `arguments` are the values."""
        return self.do("POST", "/execute/sync", {"script": script, "args": list(values)})

    def find(self, selector: str) -> str:
        """The id of the first element that matches, waited for."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                found = self.do("POST", "/element", {"using": "css selector", "value": selector})
                return str(found[_ELEMENT])
            except WebDriverError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def actions(self, *sources: Mapping[str, object]) -> None:
        """Perform input actions, then let go of everything."""
        self.do("POST", "/actions", {"actions": list(sources)})
        self.do("DELETE", "/actions")

    def picture(self, path: Path) -> None:
        """Write the window as PNG."""
        subprocess.run([VIEW, "--picture", path], env=self._environment, check=True)

    def close(self) -> None:
        """End the session and its window."""
        with suppress(WebDriverError):  # the window is gone before the answer is
            self._send("DELETE", self._path)
        self._client.close()


@contextmanager
def webkit(size: str, folder: Path, script: str = "") -> Iterator[Session]:
    """A window of WebKit of that size, such as 390x844, on a display of its own.

    script: runs in each page before the page's own.
    """
    reading, writing = os.pipe()
    with (folder / "webkit.log").open("w") as log:
        display = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x2100x24"],
            pass_fds=[writing],
            stderr=log,
        )
        os.close(writing)
        try:
            with os.fdopen(reading) as told:
                number = told.readline().strip()
            environment = os.environ | {
                "DISPLAY": f":{number}",
                "WK_SIZE": size,
                "LIBGL_ALWAYS_SOFTWARE": "1",
                "NO_AT_BRIDGE": "1",
                "GDK_BACKEND": "x11",
            }
            if script:
                (folder / "first.js").write_text(script, encoding="utf-8")
                environment["WK_SCRIPT"] = str(folder / "first.js")
            with _driver(environment, log) as address:
                session = Session(address, environment)
                try:
                    yield session
                finally:
                    session.close()
        finally:
            _end(display)


@contextmanager
def _driver(environment: Mapping[str, str], log: IO[str]) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([DRIVER, f"--port={port}"], env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                httpx.get(f"{address}/status", trust_env=False)
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield address
    finally:
        _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
