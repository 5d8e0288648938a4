"""A browser's agent without the word Headless."""

from __future__ import annotations

import pytest

from stories.browser.agent import agent_of
from stories.identity import identity_ladder

LINUX = "Mozilla/5.0 (X11; Linux {}) AppleWebKit/537.36 (KHTML, like Gecko) {}/{} Safari/537.36"


def test_only_the_word_headless_goes() -> None:
    agent = agent_of(
        LINUX.format("x86_64", "HeadlessChrome", "156.0.0.0"), "HeadlessChrome/156.0.8078.108"
    )
    assert agent.user_agent == LINUX.format("x86_64", "Chrome", "156.0.0.0")
    assert agent.metadata["fullVersion"] == "156.0.8078.108"
    assert agent.metadata["platform"] == "Linux"
    assert agent.metadata["architecture"] == "x86"
    assert "Headless" not in str(agent.override)
    assert {brand["brand"] for brand in agent.metadata["brands"]} == {"Not:A-Brand", "Chromium"}
    assert {"brand": "Chromium", "version": "156.0.8078.108"} in agent.metadata["fullVersionList"]


@pytest.mark.parametrize("identity", identity_ladder("curl")[:3], ids=lambda one: one.name)
def test_the_brands_are_those_that_a_pinned_browser_of_the_version_sends(identity) -> None:  # type: ignore[no-untyped-def]
    major = identity.tls_target.removeprefix("chrome")
    agent = agent_of(identity.user_agent, f"Chrome/{major}.0.1.2", brand="Google Chrome")
    hint = ", ".join(
        f'"{brand["brand"]}";v="{brand["version"]}"' for brand in agent.metadata["brands"]
    )
    assert hint == dict(identity.client_hints)["sec-ch-ua"]


@pytest.mark.parametrize(
    ("system", "platform"),
    [
        ("Macintosh; Intel Mac OS X 10_15_7", "macOS"),
        ("Windows NT 10.0; Win64; x64", "Windows"),
        ("X11; CrOS x86_64 14541.0.0", "Chrome OS"),
    ],
)
def test_the_system_stays_the_browsers_own(system: str, platform: str) -> None:
    agent = agent_of(f"Mozilla/5.0 ({system}) Chrome/150.0.0.0", "Chrome/150.0.1.2")
    assert agent.metadata["platform"] == platform


def test_a_version_is_said_as_short_as_browsers_with_windows_do() -> None:
    shell = LINUX.format("x86_64", "HeadlessChrome", "156.0.8078.108")
    agent = agent_of(shell, "HeadlessChrome/156.0.8078.108")
    assert agent.user_agent == LINUX.format("x86_64", "Chrome", "156.0.0.0")
    assert not agent.is_own
    assert agent_of(agent.user_agent, "Chrome/156.0.8078.108").is_own


def test_a_browser_that_was_updated_is_not_called_by_its_old_version() -> None:
    agent = agent_of(LINUX.format("x86_64", "Chrome", "156.0.0.0"), "Chrome/157.0.1.2")
    assert "Chrome/157.0.0.0" in agent.user_agent
    assert not agent.is_own


def test_an_arm_is_an_arm() -> None:
    agent = agent_of(LINUX.format("aarch64", "HeadlessChrome", "150.0.0.0"), "Chrome/150.0.1.2")
    assert agent.metadata["architecture"] == "arm"


@pytest.mark.parametrize("product", ["Firefox/140.0", "", "Chrome/x"])
def test_another_browser_is_refused(product: str) -> None:
    with pytest.raises(ValueError, match="Chromium"):
        agent_of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101", product)


def test_an_agent_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="Chromium"):
        agent_of("Chrome/150.0.0.0\r\nX: y", "Chrome/150.0.1.2")
