"""What the box says while one types is what the server will say."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from stories.errors import InputError
from stories.targets import find_lines, parse_line
from tests.browser.conftest import Open
from tests.unit.stories import test_links, test_targets
from tests.unit.stories.test_targets import LINES

TABLE: dict[str, Any] = {
    **test_links.UNDERSTOOD,
    **test_links.REFUSED,
    **test_targets.UNDERSTOOD,
    **test_targets.REFUSED,
}


def verdict(line: str) -> str:
    """In classify.js's words: kind and key, or that it is refused."""
    try:
        target = parse_line(line)
    except InputError:
        return "bad"
    return f"{target.kind.value} {target.key}"


def classified(page: Page, lines: list[str]) -> list[str]:
    """The same from the page's own script."""
    verdicts: list[dict[str, Any]] = page.evaluate(
        "(lines) => lines.map((line) => window.storykeep.parseLine(line))", lines
    )
    return [f"{line['kind']} {line['key']}" if line.get("key") else "bad" for line in verdicts]


def test_every_line_gets_the_servers_verdict(visit: Open) -> None:
    page = visit()
    page.goto("/")
    rows = {name: row[0] for name, row in TABLE.items()}
    assert len(rows) > 100
    ours = dict(zip(rows, classified(page, list(rows.values())), strict=True))
    theirs = {name: verdict(line) for name, line in rows.items()}
    assert ours == theirs


def test_pasted_text_is_split_alike(visit: Open) -> None:
    page = visit()
    page.goto("/")
    rows = {name: row[0] for name, row in LINES.items()}
    ours: list[list[str]] = page.evaluate(
        "(texts) => texts.map((text) => window.storykeep.findLines(text))", list(rows.values())
    )
    assert dict(zip(rows, ours, strict=True)) == {
        name: find_lines(text) for name, text in rows.items()
    }


def test_a_long_paste_is_told_at_once(visit: Open) -> None:
    page = visit()
    page.goto("/")
    spent_ms = page.evaluate(
        """() => {
            const text = Array.from({length: 2000}, (_, i) => `see https://x.y/@a${i} @name${i}`);
            const start = performance.now();
            window.storykeep.classify(text.join("\\n"));
            window.storykeep.classify("@".repeat(20000));
            window.storykeep.classify("a.".repeat(10000));
            return performance.now() - start;
        }"""
    )
    assert spent_ms < 2000
