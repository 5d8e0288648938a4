"""An instance of one's own for each test, a make-believe TikTok, and the book of what was asked.

CHAOS_SECONDS: how long random faults go on. CHAOS_SEED: which ones. CHAOS_SOAK_S: how long the
soak takes. `-m short` leaves out what takes minutes. STORYKEEP_DATABASE_URL, as `python -m
tests.postgres` sets it: each instance has a new database there, and not SQLite.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.chaos.instance import ROOT, Instance, environment
from tests.chaos.ledger import Ledger
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy

PEOPLE = ("alice", "bob", "carol")
PEOPLE_SCRIPT = ROOT / "tests" / "chaos" / "people.py"

Start = Callable[..., Instance]
Report = Callable[[str, str], None]
MEASURED = "measured"


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder takes whole processes, and its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(400))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests have measured, at the end."""
    ended = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    measured = [
        value
        for report in ended
        if report.when == "call"
        for name, value in report.user_properties
        if name == MEASURED
    ]
    if measured:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(sorted(str(value) for value in measured)))


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """`report("what", "how much")`: a line of the summary."""
    return lambda what, value: record_property(MEASURED, f"{what}: {value}")


@pytest.fixture
def tiktok() -> FakeTikTok:
    """A TikTok with nobody on it."""
    return FakeTikTok()


@pytest.fixture
def proxy(tiktok: FakeTikTok, folder: Path) -> Iterator[FakeProxy]:
    """The proxy that TikTok is behind."""
    with running_proxy(tiktok, folder / "authority") as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where all of a test's instances are. Short: Unix sockets lie below it."""
    made = Path(tempfile.mkdtemp(prefix="sk-ch-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tables and three people in it, and their tokens in `tokens.json`."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    with running_proxy(FakeTikTok()) as proxy:
        prepare(folder, proxy)
    return folder


def prepare(
    folder: Path, proxy: FakeProxy, *, root: Path = ROOT, **settings: str
) -> dict[str, str]:
    """Make tables and people where the settings say; their tokens, by name. root: of the code."""
    done = subprocess.run(
        [sys.executable, "-c", PEOPLE_SCRIPT.read_text(encoding="utf-8"), *PEOPLE],
        cwd=root,
        env=environment(folder, proxy, **settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tokens: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    (folder / "tokens.json").write_text(json.dumps(tokens))
    return tokens


def new_database(url: str) -> str:
    """The address of an empty database beside the one at `url`."""
    name = f"chaos_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture
def make(folder: Path, proxy: FakeProxy, prepared: Path) -> Iterator[Start]:
    """`make(**settings)`: an instance with alice, bob and carol, not started yet.

    settings: names without their prefix; with `database_url` its tables are made there. root: the
    folder of other code, whose tables it begins with.
    """
    made: list[Instance] = []

    def build(*, root: Path = ROOT, **settings: str) -> Instance:
        data = folder / f"data{len(made)}"
        if shared := os.environ.get("STORYKEEP_DATABASE_URL"):
            settings.setdefault("database_url", new_database(shared))
        if "database_url" in settings or root != ROOT:
            tokens = prepare(data, proxy, root=root, **settings)
        else:
            shutil.copytree(prepared, data, ignore=shutil.ignore_patterns("run"))
            tokens = json.loads((data / "tokens.json").read_text())
        made.append(Instance(data, proxy, tokens, root=root, **settings))
        return made[-1]

    yield build
    for instance in made:
        if os.environ.get("SHOW_UP_LOG") and instance.log.exists():
            sys.stderr.write(instance.output)
        instance.remove()


@pytest.fixture
def start(make: Start) -> Start:
    """`start(**settings)`: the same, running and ready."""

    def run(**settings: str) -> Instance:
        return make(**settings).start()

    return run


@pytest.fixture
def ledger(start: Start, tiktok: FakeTikTok) -> Ledger:
    """The book of a running instance with the usual settings."""
    return Ledger(start(), tiktok)
