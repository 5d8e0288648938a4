"""Which module imports which, as the source has it: at the top, in a function, for types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Graph = Mapping[str, frozenset[str]]
"""Dotted module name -> the modules of the same tree it imports."""


def modules(root: Path, packages: Sequence[str]) -> dict[str, Path]:
    """Dotted name -> file of every module of these packages, migrations left out."""
    return {
        dotted(root, path): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
        if "migrations" not in path.parts
    }


def dotted(root: Path, path: Path) -> str:
    """`jobs/queue/__init__.py` -> `jobs.queue`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph(root: Path, packages: Sequence[str]) -> Graph:
    """Who imports whom. A name that is a module counts as that module, not as its package."""
    known = modules(root, packages)
    return {name: frozenset(_imported(path, known)) - {name} for name, path in known.items()}


def _imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            package = node.module or ""
            for alias in node.names:
                inner = f"{package}.{alias.name}"
                if inner in known:
                    yield inner
                elif package in known:
                    yield package


def loops(imports: Graph) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others of the group."""
    # Tarjan's strongly connected components, without recursion.
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for start in imports:
        if start in order:
            continue
        work = [(start, iter(sorted(imports[start])))]
        order[start] = low[start] = len(order)
        stack.append(start)
        on_stack.add(start)
        while work:
            module, following = work[-1]
            for other in following:
                if other not in order:
                    order[other] = low[other] = len(order)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(imports[other]))))
                    break
                if other in on_stack:
                    low[module] = min(low[module], order[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == order[module]:
                    group = []
                    while True:
                        other = stack.pop()
                        on_stack.discard(other)
                        group.append(other)
                        if other == module:
                            break
                    if len(group) > 1:
                        found.append(sorted(group))
    return found


def upward(
    imports: Graph,
    package: str,
    floors: Sequence[frozenset[str]],
    shared: frozenset[str] = frozenset(),
) -> list[str]:
    """Imports within a package that do not lead to a lower floor, as `importer -> imported`.

    floors: lowest first, each with the rooms on it. A room is the first name below the package, a
    folder or a file; rooms on one floor do not know each other. shared: rooms that count as one.
    Raises KeyError for a room that is on no floor.
    """
    floor_of = {room: number for number, rooms in enumerate(floors) for room in rooms}
    wrong = []
    for importer, others in imports.items():
        if importer.partition(".")[0] != package:
            continue
        mine = room(importer)
        for imported in others:
            theirs = room(imported)
            if imported.partition(".")[0] != package:
                continue
            if theirs == mine or {theirs, mine} <= shared:
                continue
            if floor_of[theirs] >= floor_of[mine]:
                wrong.append(f"{importer} -> {imported}")
    return sorted(wrong)


def room(module: str) -> str:
    """`jobs.queue.claims` -> `queue`, `jobs` -> `__init__`."""
    return [*module.split("."), "__init__"][1]
