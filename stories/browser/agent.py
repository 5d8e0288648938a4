"""The user agent of a headless browser, as the same browser would say it with windows.

Only the word "Headless" goes, from the header and from the client hints; version, system and
architecture are those of the real browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

ACCEPT_LANGUAGE: Final = "en-US,en"

_VERSION: Final = re.compile(r"(?:Headless)?Chrome/([0-9]{1,4})((?:\.[0-9]{1,6}){0,3})")
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "Chrome OS"),
    ("Android", "Android"),
)
_GREASE_SIGNS: Final = " (:-./);=?_"
_GREASE_VERSIONS: Final = ("8", "99", "24")
_ORDERS: Final = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


@dataclass(frozen=True, slots=True)
class Agent:
    """Who a browser says that it is. metadata: `userAgentMetadata` of the DevTools protocol.

    is_own: the browser says the same by itself, without being told.
    """

    user_agent: str
    is_own: bool
    metadata: dict[str, Any]

    @property
    def override(self) -> dict[str, Any]:
        """The parameters of `Emulation.setUserAgentOverride`."""
        return {
            "userAgent": self.user_agent,
            "acceptLanguage": ACCEPT_LANGUAGE,
            "userAgentMetadata": self.metadata,
        }


def agent_of(user_agent: str, product: str, *, brand: str = "") -> Agent:
    """The agent of a browser. Raises ValueError for one that is no Chromium.

    user_agent, product: of `Browser.getVersion`. brand: the name it is sold under, "Google Chrome";
    "" for Chromium itself.
    """
    match = _VERSION.search(product)
    if match is None or not (user_agent.isascii() and user_agent.isprintable()):
        raise ValueError("not a Chromium")
    major, full = match[1], match[1] + match[2]
    brands = _brands(int(major), brand)
    arm = "aarch64" in user_agent or "arm" in user_agent
    plain = _VERSION.sub(f"Chrome/{major}.0.0.0", user_agent)
    return Agent(
        user_agent=plain,
        is_own=plain == user_agent,
        metadata={
            "brands": [{"brand": name, "version": short or major} for name, short in brands],
            "fullVersionList": [
                {"brand": name, "version": f"{short}.0.0.0" if short else full}
                for name, short in brands
            ],
            "fullVersion": full,
            "platform": next((name for mark, name in _SYSTEMS if mark in user_agent), "Linux"),
            "platformVersion": "",
            "architecture": "arm" if arm else "x86",
            "bitness": "64",
            "model": "",
            "mobile": False,
            "wow64": False,
        },
    )


def _brands(major: int, brand: str) -> list[tuple[str, str | None]]:
    """Names with versions, None for the browser's own, in Chromium's order for this version.

    As GenerateBrandVersionList in components/embedder_support/user_agent_utils.cc: one of the names
    is nonsense, so that nobody relies on the list.
    """
    first, second = (_GREASE_SIGNS[(major + at) % len(_GREASE_SIGNS)] for at in (0, 1))
    names: list[tuple[str, str | None]] = [
        (f"Not{first}A{second}Brand", _GREASE_VERSIONS[major % len(_GREASE_VERSIONS)]),
        ("Chromium", None),
    ]
    if not brand:
        return names if major % 2 == 0 else names[::-1]
    names.append((brand, None))
    places = dict(zip(_ORDERS[major % len(_ORDERS)], names, strict=True))
    return [places[place] for place in range(3)]
