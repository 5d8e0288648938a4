"""The table of what is served, what is named and what is wrong, by change and by way."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from stories.protocol.current import built_in, built_in_text, use
from stories.protocol.parsing import parse
from tests.survival.changes import Change
from tests.survival.results import MOST_TRIES, Result, result_of, tries_of, verdict
from tests.survival.scenes import small_site
from tests.survival.ways import ALL, DIRECT, Bench, bench

PLACES = 2
"""Places at which changes are tried side by side: much of the time is waiting."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a change came to under one way, by what was pasted."""

    verdicts: dict[str, str] = field(default_factory=dict)
    results: dict[str, list[Result]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """One word where everything pasted came to the same; else one for each."""
        different = dict.fromkeys(self.verdicts.values())
        if len(different) == 1:
            return next(iter(different))
        return ", ".join(f"{what} {said}" for what, said in self.verdicts.items())

    @property
    def told(self) -> str:
        """The outcome of each try, and the seconds they took."""
        return ", ".join(
            f"{what} {' '.join(dict.fromkeys(result.outcome for result in results))}"
            f" {sum(result.seconds for result in results):.1f} s"
            for what, results in self.results.items()
        )


@dataclass
class Table:
    """Every cell, by the change's place and the way's column."""

    columns: Sequence[str]
    changes: Sequence[Change]
    cells: dict[int, dict[str, Cell]]

    @property
    def has_wrong(self) -> bool:
        """Whether any cell is wrong."""
        return any("WRONG" in cell.text for row in self.cells.values() for cell in row.values())

    def markdown(self, *, verbose: bool = False) -> str:
        """The table as it stands in docs/reliability.md, aligned."""
        lines = [["what changes", *self.columns]]
        for number, row in self.cells.items():
            cells = [row[column] for column in self.columns]
            told = [f"{cell.text} ({cell.told})" if verbose else cell.text for cell in cells]
            lines.append([self.changes[number].name, *told])
        widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
        rule = ["-" * width for width in widths]
        shown = [lines[0], rule, *lines[1:]]
        return "".join(
            "| "
            + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
            + " |\n"
            for line in shown
        )


async def tried(place: Bench, change: Change, column: str) -> Cell:
    """A change under one way, with everything that is pasted."""
    cell = Cell()
    for what, make in change.scenes.items():
        tiktok = small_site()
        scene = make(tiktok)
        place.show(tiktok)
        async with place.client(column) as client:
            if change.known:
                await result_of(client, scene)
            change.apply(tiktok)
            most = MOST_TRIES if column in {DIRECT, ALL} else 1
            results = await tries_of(client, scene, most=most)
        cell.results[what] = results
        verdicts = [verdict(result, scene, change.true) for result in results]
        wrong = (said for said in verdicts if "WRONG" in said)
        last = verdicts[-1] if len(verdicts) == 1 or verdicts[-1] != "served" else "served later"
        cell.verdicts[what] = next(wrong, last)
    return cell


@contextmanager
def pack_of(change: Change) -> Iterator[None]:
    """The protocol pack that knows of a change, in the place of the built-in one."""
    if change.learn is None:
        yield
        return
    document = json.loads(built_in_text())
    change.learn(document)
    use(parse(json.dumps(document).encode(), built_in()))
    try:
        yield
    finally:
        use(None)


async def measured(changes: Sequence[Change], columns: Sequence[str]) -> Table:
    """The whole table. What it is busy with stands on the error output of a terminal."""
    table = Table(columns, changes, {number: {} for number in range(len(changes))})
    cells = [(number, column) for number in range(len(changes)) for column in columns]
    # A pack is of the whole process: what needs one is tried when nothing else is.
    beside = [cell for cell in reversed(cells) if changes[cell[0]].learn is None]
    alone = [cell for cell in reversed(cells) if changes[cell[0]].learn is not None]

    async def work(waiting: list[tuple[int, str]]) -> None:
        async with bench() as place:
            while waiting:
                number, column = waiting.pop()
                change = changes[number]
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r\x1b[K{len(waiting)} {column}: {change.name}")
                with pack_of(change):
                    table.cells[number][column] = await tried(place, change, column)

    await asyncio.gather(*(work(beside) for _ in range(PLACES)))
    await work(alone)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    return table
