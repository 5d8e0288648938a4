"""What the box says while one types is what the server will say."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from stories.errors import Advert, InputError, UnsupportedLink
from stories.links import REFUSAL_WORDS
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
    """In classify.js's words: kind and key, or what a refused link is, or that it is none."""
    try:
        target = parse_line(line)
    except UnsupportedLink as error:
        return f"refused: {error.detail}"
    except Advert:
        return f"refused: {REFUSAL_WORDS['advert']}"
    except InputError:
        return "not_understood: "
    return f"{target.kind.value} {target.key}"


def classified(page: Page, lines: list[str]) -> list[str]:
    """The same from the page's own script."""
    verdicts: list[dict[str, Any]] = page.evaluate(
        """([lines, said]) => lines.map((line) => {
            const verdict = window.storykeep.parseLine(line);
            return {...verdict, said: window.storykeep.nameRefusal(verdict, said)};
        })""",
        [lines, REFUSAL_WORDS],
    )
    return [
        f"{line['kind']} {line['key']}" if line.get("key") else f"{line['kind']}: {line['said']}"
        for line in verdicts
    ]


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


def test_each_row_of_the_box_has_its_own_lines(visit: Open) -> None:
    page = visit()
    page.goto("/")
    texts = [row[0].replace("\r\n", "\n").replace("\r", "\n") for row in LINES.values()]
    for text in [*texts, "@a1, @b1\n\n@a1\nhttps://www.tiktok.com/tag/cats"]:
        read: dict[str, Any] = page.evaluate("(text) => window.storykeep.classify(text)", text)
        assert len(read["rows"]) == text.count("\n") + 1
        lines = [line["line"] for row in read["rows"] for line in row]
        assert lines == find_lines(text)
        if not read["shared"]:  # what stands in a row is what that row alone would say
            for row, typed in zip(read["rows"], text.split("\n"), strict=True):
                assert [line["line"] for line in row] == find_lines(typed)
    kinds = [[line["kind"] for line in row] for row in read["rows"]]
    assert kinds == [["user", "user"], [], ["twice"], ["bad"]]


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
