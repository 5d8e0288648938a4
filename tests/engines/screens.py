"""One way to drive a page: Chromium and Firefox by Playwright, WebKit by WebDriver."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Error, Page

from tests.engines.webdriver import KEYS, Session

PATIENCE_S: Final = 60.0
STALL_S: Final = 5.0
"""A video that stands for so long has stopped."""


class Screen(ABC):
    """A window that shows one page. base: the instance's address. phone: laid out for a thumb."""

    def __init__(self, engine: str, base: str, *, phone: bool) -> None:
        self.engine = engine
        self.base = base
        self.phone = phone

    @abstractmethod
    def goto(self, path: str) -> None:
        """Open a page of the instance."""

    @abstractmethod
    def js(self, expression: str) -> Any:
        """What a script's expression is worth in the page."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """Click the first element that matches, as a person would: it has to be there to hit."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Press a key: a letter, or a name of `webdriver.KEYS`."""

    @abstractmethod
    def tap(self, x: float, y: float) -> None:
        """Press and let go at a place of the window, in CSS pixels."""

    @abstractmethod
    def picture(self, path: Path) -> None:
        """Write the window as PNG."""

    def fill(self, selector: str, text: str) -> None:
        """Put text into a field, as pasting does."""
        self.until(f"document.querySelector({json.dumps(selector)})")
        self.js(
            "((field, text) => { field.focus(); field.value = text; "
            "field.dispatchEvent(new Event('input', { bubbles: true })) })"
            f"(document.querySelector({json.dumps(selector)}), {json.dumps(text)})"
        )

    def until(self, question: str) -> Any:
        """The answer of an expression, once it is no longer empty, false or 0."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if answer := self.js(question):
                return answer
            assert time.monotonic() < deadline, (self.engine, question)
            time.sleep(0.05)

    def arrive(self, question: str) -> None:
        """Wait until a page is the wanted one and has loaded: before, the next visit collides."""
        self.until(f"({question}) && document.readyState === 'complete'")

    def play(self, video: str, past_s: float) -> None:
        """Start a video and wait until it is past that moment. video: an expression for it.

        On a busy machine WebKitGTK may stop at one of the first frames with everything there to
        play (readyState 2, all of it buffered; one start in 40): pausing and playing moves it on,
        and a person would do no less.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not self.js(f"{video}.currentTime > {past_s}"):
            assert time.monotonic() < deadline, (self.engine, video)
            self.js(f"(v => {{ v.muted = true; v.pause(); v.play() }})({video})")
            again = time.monotonic() + STALL_S
            while not self.js(f"{video}.currentTime > {past_s}") and time.monotonic() < again:
                time.sleep(0.05)

    def box(self, selector: str) -> dict[str, float]:
        """Where an element is: x, y, width, height in CSS pixels of the window."""
        found: dict[str, float] = self.until(
            f"(node => node && node.getBoundingClientRect().toJSON())"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        return found

    def sign_in(self, name: str, password: str) -> None:
        """By the form, as everyone does."""
        self.goto("/login/")
        self.fill("#id_username", name)
        self.fill("#id_password", password)
        self.click("main form button")
        self.arrive("location.pathname === '/'")

    @abstractmethod
    def sign_out(self) -> None:
        """Forget the session, as if the browser were new."""

    def paste(self, text: str) -> None:
        """Send some lines, and wait until their job has settled."""
        self.goto("/")
        self.fill("#id_text", text)
        self.click("[data-submit]")
        self.arrive("location.pathname.startsWith('/jobs/')")
        self.until("document.querySelector('#job[data-settled]')")


class PlaywrightScreen(Screen):
    """A page of Chromium or Firefox."""

    def __init__(self, engine: str, base: str, page: Page, *, phone: bool) -> None:
        super().__init__(engine, base, phone=phone)
        self.page = page

    def goto(self, path: str) -> None:
        try:
            self.page.goto(f"{self.base}{path}")
        except Error as error:
            # Firefox still tells of the page before, though that has loaded.
            if "interrupted by another navigation" not in error.message:
                raise
            self.page.goto(f"{self.base}{path}")

    def js(self, expression: str) -> Any:
        return self.page.evaluate(f"() => ({expression})")

    def click(self, selector: str) -> None:
        self.page.locator(selector).first.click()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def tap(self, x: float, y: float) -> None:
        self.page.mouse.click(x, y)

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path)

    def sign_out(self) -> None:
        self.page.context.clear_cookies()


class WebKitScreen(Screen):
    """A window of WebKitGTK."""

    def __init__(self, base: str, session: Session, *, phone: bool) -> None:
        super().__init__("webkit", base, phone=phone)
        self._session = session

    def goto(self, path: str) -> None:
        self._session.do("POST", "/url", {"url": f"{self.base}{path}"})

    def js(self, expression: str) -> Any:
        return self._session.js(f"return ({expression})")

    def click(self, selector: str) -> None:
        self._session.do("POST", f"/element/{self._session.find(selector)}/click")

    def press(self, key: str) -> None:
        value = KEYS.get(key, key)
        steps = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._session.actions({"type": "key", "id": "keys", "actions": steps})

    def tap(self, x: float, y: float) -> None:
        steps = [
            {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._session.actions({"type": "pointer", "id": "mouse", "actions": steps})

    def picture(self, path: Path) -> None:
        self._session.picture(path)

    def sign_out(self) -> None:
        self._session.do("DELETE", "/cookie")
