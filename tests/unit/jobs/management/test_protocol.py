"""`manage.py protocol …`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs.upstream import protocol, protocol_look
from jobs.upstream.protocol_look import Outcome
from stories.protocol.current import built_in
from tests import packs

pytestmark = pytest.mark.django_db

FIRST, SECOND = "2040-01-01.9", "2040-01-01.10"


@pytest.fixture(autouse=True)
def _trusting(set_env: Callable[..., None]) -> None:
    set_env(protocol_key=packs.PUBLIC_TEXT)


def run(*typed: str) -> str:
    out = StringIO()
    call_command("protocol", *typed, stdout=out)
    return out.getvalue()


def failing(*typed: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as caught:
        run(*typed)
    return caught.value.returncode, str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """A file with a signed pack."""

    def write(version: str, change: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
        path = tmp_path / f"{version}.json"
        path.write_bytes(packs.signed(change, version=version))
        return str(path)

    return write


def test_a_pack_from_a_file_and_back(file: Callable[..., str]) -> None:
    assert run("show").startswith(f"{built_in().version} is in use (built in)")
    assert run("import", file(FIRST)) == f"{FIRST} is in use\n"
    assert run("import", file(SECOND, lambda facts: facts.update(note="New."))) == (
        f"{SECOND} is in use\n"
    )
    shown = run("show")
    assert shown.startswith(f"{SECOND} is in use (imported 20")
    assert "\n  New.\n" in shown
    assert f"{FIRST}: can be gone back to" in shown
    assert run("revert") == f"{FIRST} is in use\n"
    assert f"{SECOND}: somebody went back from it" in run("show")
    assert run("revert") == f"{built_in().version} is in use\n"
    assert failing("revert") == (1, "the built-in pack is in use already")


def test_a_look_at_a_file_says_what_it_changes(file: Callable[..., str]) -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["hosts"]["media"].append("byteicdn.com")
        facts["endpoints"]["story_list"]["page_size"] = 30
        del facts["codes"]["items"]["numbers"]["10217"]

    said = run("check", file(FIRST, change))
    assert said.splitlines() == [
        f"{FIRST} can be imported",
        "It differs from the built-in one in 3 places:",
        "  + hosts.media[byteicdn.com]",
        "  ~ endpoints.story_list.page_size",
        "  - codes.items.numbers.10217",
    ]
    assert "It says what the built-in one says." in run("check", file(SECOND))
    assert protocol.look(at_once=True).pack is built_in()


def test_one_place_is_one_and_no_log_lies_between_the_words(
    file: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        path = file(FIRST, lambda facts: facts["hosts"]["media"].append("byteicdn.com"))
        assert "in 1 place:" in run("check", path)
        run("import", path)
        assert failing("look") == (1, "STORYKEEP_PROTOCOL_URL is not set")
    assert not caplog.records


def test_what_is_refused_ends_with_1_and_a_file_that_is_none_with_2(
    file: Callable[..., str], tmp_path: Path
) -> None:
    code, said = failing("import", file(FIRST, lambda facts: facts.update(evil=1)))
    assert (code, said) == (1, "refused: evil: there is no such field")
    code, said = failing("check", str(tmp_path / "nowhere"))
    assert code == 2
    assert said.endswith("No such file or directory")
    (tmp_path / "large").write_bytes(b" " * 1_000_000)
    assert failing("import", str(tmp_path / "large")) == (1, "refused: it is larger than 256 KiB")


def test_a_document_can_be_looked_at_before_it_is_signed(tmp_path: Path) -> None:
    path = tmp_path / "pack.json"
    path.write_bytes(packs.text(version=FIRST))
    assert run("check", "--unsigned", str(path)).startswith(f"{FIRST} can be signed\n")
    assert failing("check", str(path)) == (1, "refused: it is not signed; --unsigned looks at it")
    assert failing("import", str(path)) == (1, "refused: it is not signed")
    path.write_bytes(packs.text(version="2020-01-01.1"))
    assert "which is built in" in failing("check", "--unsigned", str(path))[1]
    path.write_bytes(packs.signed(version=FIRST))
    assert failing("check", "--unsigned", str(path))[0] == 1


def test_json(file: Callable[..., str], set_env: Callable[..., None]) -> None:
    run("import", file(FIRST))
    set_env(protocol_key=None)
    protocol.in_use.forget()
    facts = json.loads(run("show", "--json"))
    assert facts["version"] == facts["built_in"] == str(built_in().version)
    assert (facts["unused"], facts["refused"]) == (FIRST, "unknown_key")
    assert facts["kept"] == [FIRST]
    assert f"{FIRST} is not used: its key is not trusted here" in run("show")


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Outcome(version=FIRST), 0, f"{FIRST} is in use\n"),
        (Outcome(reason="same", said="it is there"), 0, "nothing newer: it is there\n"),
    ],
)
def test_a_look_for_a_newer_one(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, code: int, said: str
) -> None:
    monkeypatch.setattr(protocol_look, "look_for_newer", lambda _: outcome)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("protocol", "look", stdout=out)
    assert (ended.value.code, out.getvalue()) == (code, said)


def test_a_look_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome(reason="unavailable", said="status 404")
    monkeypatch.setattr(protocol_look, "look_for_newer", lambda _: outcome)
    assert failing("look") == (1, "STORYKEEP_PROTOCOL_URL: status 404")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("protocol", "look", "--json", stdout=out)
    assert ended.value.code == 1
    assert json.loads(out.getvalue()) == {
        "version": "",
        "reason": "unavailable",
        "said": "status 404",
    }
