"""The rooms and their direction: who may import whom, and who alone may write an item's state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("webapp", "jobs", "accounts", "stories")

FACTS = {
    "jobs": frozenset({"__init__", "apps", "errors", "models", "states"}),
    "stories": frozenset(
        {"__init__", "challenge", "config", "errors", "events", "hosts", "structures"}
    ),
}
"""What each package is about, in files that know nothing above them."""

FLOORS = {
    "jobs": (
        FACTS["jobs"],
        frozenset({"text", "wording"}),
        frozenset({"lines", "templatetags"}),
        frozenset({"ephemeral"}),
        frozenset({"upstream"}),
        frozenset({"files"}),
        frozenset({"queue"}),
        frozenset({"zips", "queries", "ops"}),
        frozenset({"fetching", "housekeeping", "pages", "api", "admin", "standalone"}),
        frozenset({"tasks", "management"}),
    ),
    "stories": (
        FACTS["stories"],
        frozenset({"links", "renditions", "workspace"}),
        frozenset({"targets", "wire", "http"}),
        frozenset({"media"}),
        frozenset({"story_list"}),
        frozenset({"client"}),
        frozenset({"lookup", "probe"}),
        frozenset({"obtain"}),
        frozenset({"harvest"}),
    ),
}
"""Each package's rooms, lowest floor first: an import leads downwards, or stays in its room."""


@cache
def graph() -> imports.Graph:
    """The imports of the whole project."""
    return imports.graph(ROOT, PACKAGES)


@pytest.mark.parametrize("package", FLOORS)
def test_a_room_imports_only_rooms_below_it(package: str) -> None:
    assert imports.upward(graph(), package, FLOORS[package], FACTS[package]) == []


@pytest.mark.parametrize("package", FLOORS)
def test_every_floor_is_lived_on(package: str) -> None:
    rooms = {imports.room(name) for name in graph() if name.partition(".")[0] == package}
    assert rooms == frozenset().union(*FLOORS[package])


def test_no_two_files_import_each_other() -> None:
    assert imports.loops(graph()) == []


# --- the tests above see what they are there to see -----------------------------------------------


def plant(root: Path, **files: str) -> imports.Graph:
    """A package `house` of these files, names written with `__` for the slash."""
    for name, text in files.items():
        path = root / "house" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return imports.graph(root, ["house"])


@pytest.mark.parametrize(
    "lazy",
    [
        pytest.param("from house.b import two", id="at the top"),
        pytest.param("def one():\n    from house.b import two", id="in a function"),
        pytest.param("def one():\n    import house.b", id="as a module"),
        pytest.param(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import b",
            id="for types",
        ),
    ],
)
def test_a_planted_loop_is_seen(tmp_path: Path, lazy: str) -> None:
    planted = plant(
        tmp_path, a=lazy, b="from house.c import three", c="from house import a, d", d=""
    )
    assert imports.loops(planted) == [["house.a", "house.b", "house.c"]]
    assert imports.loops(plant(tmp_path, c="from house import d")) == []


def test_a_planted_step_upwards_is_seen(tmp_path: Path) -> None:
    planted = plant(
        tmp_path,
        cellar__wine="def pour():\n    from house.attic.box import hat",
        cellar__coal="from house.cellar import wine",
        attic__box="from house.cellar.wine import pour",
        attic_too__bed="from house.attic import box",
    )
    floors = (frozenset({"cellar"}), frozenset({"attic", "attic_too"}))
    assert imports.upward(planted, "house", floors) == [
        "house.attic_too.bed -> house.attic.box",
        "house.cellar.wine -> house.attic.box",
    ]


# --- an item's state ------------------------------------------------------------------------------

WRITER = "jobs/queue/transitions.py"
NOT_OF_ITEMS = {
    "jobs/fetching/recorder.py": {"row", "story"},
    "jobs/queue/settling.py": {"stories"},
    "jobs/zips/claims.py": {"queued", "claimed_row", "row", "stuck"},
    "jobs/standalone/results.py": {"self"},
    "jobs/standalone/run.py": {"line"},
}
"""Where the state of something else is written (a story, a package, a result in memory), and what
it is called there."""


def state_writes(path: Path) -> Iterator[tuple[str, int]]:
    """(what is written, line) of everything in a file that sets a `state`: by assignment, by
    `update(state=…)`, by a mapping that has the key, or as an item is made."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                for part in parts:
                    if isinstance(part, ast.Attribute) and part.attr == "state":
                        yield _root(part.value), node.lineno
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else _root(node.func)
            named = any(keyword.arg == "state" for keyword in node.keywords)
            if named and called in {
                "update",
                "Item",
                "create",
                "update_or_create",
                "get_or_create",
            }:
                yield _root(node.func), node.lineno
            if called in {"bulk_update", "setattr"} and "'state'" in ast.unparse(node):
                yield _root(node.func), node.lineno
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None and ast.unparse(key) == "'state'" and _is_state(value):
                    yield "{}", node.lineno


def _is_state(node: ast.expr) -> bool:
    """`S.DONE` or `ItemState.DONE`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"S", "ItemState"}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def test_only_transitions_write_an_items_state() -> None:
    wrong = []
    for name, path in imports.modules(ROOT, ["jobs", "webapp", "accounts"]).items():
        file = path.relative_to(ROOT).as_posix()
        if file == WRITER:
            continue
        allowed = NOT_OF_ITEMS.get(file, set())
        wrong += [
            f"{name}:{line} {what}" for what, line in state_writes(path) if what not in allowed
        ]
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "Item.objects.filter(pk=1).update(state='done')",
        "claimed_row(claim).update(tries=1, state=S.DONE)",
        "item.state = ItemState.DONE",
        "item.state, item.tries = ItemState.DONE, 1",
        "Item(job=job, state=ItemState.FAILED)",
        "Item.objects.create(state='done')",
        "Item.objects.bulk_update(items, ['state'])",
        "setattr(item, 'state', 'done')",
        "rows.update(**{'state': S.DONE})",
    ],
)
def test_a_planted_write_is_seen(tmp_path: Path, line: str) -> None:
    path = tmp_path / "planted.py"
    path.write_text(line)
    assert list(state_writes(path))


def test_the_one_writer_asks_the_edges() -> None:
    module = ast.parse((ROOT / WRITER).read_text(encoding="utf-8"))
    for function in [node for node in module.body if isinstance(node, ast.FunctionDef)]:
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        assert names & {"EDGES", "sources"}, function.name


# --- sizes ----------------------------------------------------------------------------------------

MAX_FILE_LINES = 450
MAX_CLASS_LINES = 250


def _of_ours(suffix: str) -> list[Path]:
    folders = (*PACKAGES, "tests", "benchmarks")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))]


@pytest.mark.parametrize("suffix", ["py", "css"])
def test_no_file_is_too_long_to_have_one_subject(suffix: str) -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in _of_ours(suffix)
    }
    assert lengths
    long = {
        path.relative_to(ROOT).as_posix(): n for path, n in lengths.items() if n > MAX_FILE_LINES
    }
    assert long == {}


def test_no_class_is_too_long_to_have_one_subject() -> None:
    long = {}
    for path in _of_ours("py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_CLASS_LINES:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert long == {}
