"""The rooms and their direction: who may import whom, and who alone may write an item's state."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("webapp", "jobs", "accounts", "notices", "stories")

FACTS = {
    "jobs": frozenset(
        {
            "__init__",
            "apps",
            "author_picture",
            "choices",
            "errors",
            "feed_address",
            "folder_mark",
            "library_copy",
            "models",
            "name_template",
            "naming_choice",
            "owned",
            "package",
            "protocol_pack",
            "querysets",
            "quota",
            "states",
            "watch",
            "way_switch",
        }
    ),
    "notices": frozenset({"__init__", "apps", "kinds", "models"}),
    "stories": frozenset(
        {
            "__init__",
            "challenge",
            "config",
            "errors",
            "events",
            "hosts",
            "identity",
            "left_out",
            "rests",
            "site_clock",
            "structures",
        }
    ),
}
"""What each package is about, in files that know nothing above them."""

FLOORS = {
    "jobs": (
        FACTS["jobs"],
        frozenset({"left_out", "library_words", "patience", "prepared", "text", "wording"}),
        frozenset({"lines", "templatetags"}),
        frozenset({"ephemeral"}),
        frozenset({"upstream"}),
        frozenset({"files"}),
        frozenset({"queue"}),
        frozenset({"zips", "queries", "ops", "watching", "library"}),
        frozenset({"fetching", "housekeeping", "pages", "api", "admin", "standalone"}),
        frozenset({"tasks", "management"}),
    ),
    "notices": (
        FACTS["notices"],
        frozenset({"apprise_child", "key_file", "outbox", "schedule", "sealing", "subscriptions"}),
        frozenset({"planning", "vapid", "wire", "wording"}),
        frozenset({"channels", "push_message", "turns", "webhooks"}),
        frozenset({"delivering"}),
    ),
    "stories": (
        frozenset({"protocol"}),
        FACTS["stories"],
        frozenset(
            {
                "endpoints",
                "links",
                "renditions",
                "time_limit",
                "transfer_slots",
                "verdict",
                "workspace",
            }
        ),
        frozenset({"targets", "wire", "http", "rendition_search"}),
        frozenset({"media"}),
        frozenset({"author_pages", "item_pages", "neutral", "short_links", "story_list", "ways"}),
        frozenset({"browser", "helper"}),
        frozenset({"client"}),
        frozenset({"account_lookup"}),
        frozenset({"item_lookup"}),
        frozenset({"carrier_way", "browser_carrier", "helper_way"}),
        frozenset({"avatars", "lookup", "probe", "completion"}),
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


def test_processes_know_the_settings_and_nothing_else() -> None:
    """The supervisor stays small: it starts the rest and never loads it."""
    allowed = {
        "webapp.env",
        "webapp.env_notices",
        "webapp.env_outside",
        "webapp.env_backup",
        "webapp.env_library",
        "webapp.env_signin",
        "webapp.env_storage",
        "webapp.env_tiktok",
        "webapp.env_types",
        "webapp.env_watch",
        "jobs.name_template",
        "jobs.queue.routing",
    }  # names alone
    others = {
        name
        for module, imported in graph().items()
        if module.startswith("webapp.processes")
        for name in imported
        if not name.startswith("webapp.processes")
    }
    assert others <= allowed


def test_no_two_files_import_each_other() -> None:
    assert imports.loops(graph()) == []


# --- tests beside their module --------------------------------------------------------------------

TESTED_ELSEWHERE = {
    "accounts": {"management.commands.token", "oidc.errors", "templatetags.fields"},
    "jobs": {
        "management.commands.fetch",
        "management.commands.helper",
        "management.commands.protocol",
        "management.commands.sweep",
        "standalone.listener",
    },
    "notices": {"apprise_child", "kinds", "wire"},
    "stories": {"config", "events", "structures", "ways"},
    "webapp": {
        "admin.wording",
        "admin_app",
        "env_backup",
        "env_outside",
        "env_tiktok",
        "management.commands.backup",
        "management.commands.diagnose",
        "management.commands.invite",
        "management.commands.restore",
        "management.commands.signin-link",
        "management.commands.up",
        "settings_worker",
    },
}
"""Commands are tested by being run; the others are names or plain values without behaviour."""

FRAMES = {"__init__", "apps", "urls", "wsgi"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_has_its_tests_where_one_looks_for_them(package: str) -> None:
    missing = set()
    for name, path in imports.modules(ROOT, [package]).items():
        mirror = ROOT / "tests" / "unit" / path.relative_to(ROOT).with_name(f"test_{path.name}")
        if path.stem not in FRAMES and not mirror.exists():
            missing.add(name.partition(".")[2])
    assert missing == TESTED_ELSEWHERE[package]


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
    "jobs/fetching/story_rows.py": {"close_stories", "write_list"},
    "jobs/library/forgetting.py": {"forget"},
    "jobs/library/turns.py": {"give_up", "keep"},
    "jobs/library/wanted.py": {"_want"},
    "jobs/queue/settling.py": {"close_open_stories"},
    "jobs/queue/turns.py": {""},
    "jobs/standalone/results.py": {"LineResult.settle", "StoryResult.settle"},
    "jobs/standalone/run.py": {"_Run._fetch_line"},
    "jobs/watching/looks.py": {"end"},
    "jobs/watching/outcome.py": {"_move_watches", "_note"},
    "jobs/watching/watches.py": {"_write", "begin"},
    "jobs/zips/claims.py": {
        "claim",
        "fail",
        "finish",
        "release",
        "requeue_stalled",
        "sweep",
        "wait",
    },
    "notices/delivering.py": {"_end"},
}
"""Functions that write the state of something else: a story, a package, a result in memory; "" is
the SQL that writes when an item was sent."""

MODEL_WRITES = {"update", "create", "get_or_create", "update_or_create", "bulk_create"}
MODEL_WRITES |= {f"a{name}" for name in MODEL_WRITES} | {"bulk_update", "abulk_update"}
MADE_WITH_STATE = MODEL_WRITES | {"Item", "dict"}


def state_writes(path: Path) -> Iterator[tuple[str, int]]:
    """(function, line) of everything in a file that sets a `state`.

    By assignment, by `setattr`, as a row is made, by a queryset's method, through a mapping that
    has the key, or in SQL.
    """
    yield from _state_writes(ast.parse(path.read_text(encoding="utf-8")), "")


def _state_writes(node: ast.AST, function: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        inner = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{function}.{child.name}".lstrip(".")
        if isinstance(child, ast.expr | ast.stmt) and _writes_state(child):
            yield function, child.lineno
        yield from _state_writes(child, inner)


def _writes_state(node: ast.expr | ast.stmt) -> bool:
    match node:
        case ast.Attribute(attr="state", ctx=ast.Store()):
            return True
        case ast.Subscript(slice=ast.Constant(value="state"), ctx=ast.Store()):
            return True
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return any(_is_state_key(key) and _is_state(value) for key, value in pairs)
        case ast.Constant(value=str(text)):
            return bool(re.search(r"(update|insert\s+into)\s+\W?jobs_item\b", text, re.IGNORECASE))
        case ast.Call(func=ast.Name(id="setattr"), args=[_, name, _]):
            return not isinstance(name, ast.Constant) or name.value == "state"
        case ast.Call(func=ast.Attribute(attr=called) | ast.Name(id=called), keywords=keywords):
            if called in MADE_WITH_STATE and any(keyword.arg == "state" for keyword in keywords):
                return True
            return called in MODEL_WRITES and any(
                isinstance(part, ast.expr) and _is_state_key(part) for part in ast.walk(node)
            )
    return False


def _is_state_key(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value == "state"


def _is_state(node: ast.expr) -> bool:
    """`S.DONE` or `ItemState.DONE`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"S", "ItemState"}


def test_only_transitions_write_an_items_state() -> None:
    seen: dict[str, set[str]] = {}
    for path in imports.modules(ROOT, ["jobs", "webapp", "accounts", "notices"]).values():
        functions = {function for function, _line in state_writes(path)}
        if functions:
            seen[path.relative_to(ROOT).as_posix()] = functions
    assert seen.pop(WRITER) == {"transition", "begin_in", "edge"}
    assert seen == NOT_OF_ITEMS


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
        "rows.update(**{'state': 'done'})",
        "async def end(rows):\n    await rows.aupdate(state=S.DONE)",
        "fields = dict(state=S.DONE)",
        "fields['state'] = S.DONE",
        "Item.objects.update_or_create(pk=1, defaults={'state': 'done'})",
        "Item.objects.bulk_create(rows, update_conflicts=True, update_fields=['state'])",
        "setattr(item, name, 'done')",
        "for item.state in states: pass",
        "cursor.execute('UPDATE jobs_item SET state = %s')",
    ],
)
def test_a_planted_write_is_seen(tmp_path: Path, line: str) -> None:
    path = tmp_path / "planted.py"
    path.write_text(line)
    assert list(state_writes(path))


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
        text = path.read_text(encoding="utf-8")
        if text.count("\n") <= MAX_CLASS_LINES:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_CLASS_LINES:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert long == {}
