"""The table of what is served, what is named and what is wrong, by change and by way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

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
    """Every cell, by the change's name and the way's column."""

    columns: Sequence[str]
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    @property
    def has_wrong(self) -> bool:
        """Whether any cell is wrong."""
        return any("WRONG" in cell.text for row in self.cells.values() for cell in row.values())

    def markdown(self, *, verbose: bool = False) -> str:
        """The table as it stands in docs/reliability.md, aligned."""
        lines = [["what changes", *self.columns]]
        for name, row in self.cells.items():
            cells = [row[column] for column in self.columns]
            told = [f"{cell.text} ({cell.told})" if verbose else cell.text for cell in cells]
            lines.append([name, *told])
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


async def measured(changes: Sequence[Change], columns: Sequence[str]) -> Table:
    """The whole table. What it is busy with stands on the error output of a terminal."""
    table = Table(columns, {change.name: {} for change in changes})
    waiting = [(change, column) for change in reversed(changes) for column in reversed(columns)]

    async def work(place: Bench) -> None:
        while waiting:
            change, column = waiting.pop()
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{len(waiting)} {column}: {change.name}")
            table.cells[change.name][column] = await tried(place, change, column)

    async def at_a_place() -> None:
        async with bench() as place:
            await work(place)

    await asyncio.gather(*(at_a_place() for _ in range(PLACES)))
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    return table
