"""A module that waits to be used: what it is before, and that nobody ever gets half of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import deferred

SLOW = """
import threading
loaded = threading.current_thread().name
FIRST = 1
threading.Event().wait(0.2)
LAST = 2
def total():
    return FIRST + LAST
"""


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that nobody has loaded, and that takes a moment to load."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "__init__.py").touch()
    (tmp_path / "shelf" / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    yield "shelf.slow"
    for module in ("shelf.slow", "shelf"):
        sys.modules.pop(module, None)


def test_importing_loads_nothing_and_using_does(name: str) -> None:
    deferred.defer(name)
    from shelf import slow  # type: ignore[import-not-found]

    assert isinstance(sys.modules[name], deferred.DeferredModule)
    assert slow.total() == 3
    assert sys.modules[name] is not slow
    from shelf.slow import FIRST  # type: ignore[import-not-found]

    assert FIRST == 1


def test_a_name_taken_while_importing_loads_it(name: str) -> None:
    deferred.defer(name)
    from shelf.slow import LAST

    assert LAST == 2


def test_a_module_that_is_loaded_already_stays(name: str) -> None:
    from shelf import slow

    deferred.defer(name)
    assert sys.modules[name] is slow


def test_threads_that_come_at_once_get_all_of_it_loaded_once(name: str) -> None:
    deferred.defer(name)
    from shelf import slow

    answers: list[tuple[int, str]] = []

    def ask() -> None:
        answers.append((slow.FIRST + slow.LAST, slow.loaded))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {total for total, _ in answers} == {3}
    assert len({by for _, by in answers}) == 1


def test_a_name_it_does_not_have(name: str) -> None:
    deferred.defer(name)
    from shelf import slow

    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        slow.nothing_of_that_name  # noqa: B018 (asking is the test)


def test_what_passkeys_need_is_put_off_by_the_site() -> None:
    """A library that loads it elsewhere would make this worth nothing: see test_web_process.py."""
    from allauth.mfa.webauthn.internal.flows import auth

    assert auth.__name__ == "allauth.mfa.webauthn.internal.auth"
    assert isinstance(auth, deferred.DeferredModule)
    assert auth.WebAuthn
