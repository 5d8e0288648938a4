"""Channels: what an address may be. Sending is in tests/integration/test_notices.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest

from notices import channels
from notices.channels import AddressRefused
from notices.kinds import Reason
from notices.models import Channel
from notices.sealing import seal
from notices.wire import NotSent
from notices.wording import Text


@pytest.mark.parametrize(
    ("address", "scheme"),
    [
        ("ntfys://ntfy.example.org/family", "ntfys"),
        ("JSON://127.0.0.1:8000/{user}", "json"),
        ("mailto://user:pass@example.org?to={user}", "mailto"),
    ],
)
def test_the_kind_of_an_address(address: str, scheme: str) -> None:
    assert channels.scheme_of(address) == scheme


@pytest.mark.parametrize(
    "address",
    ["", "ntfy", "https//x", "json://a json://b", "json://a,json://b", "json://a;b", "json://a\nb",
     "-x://a", "json://", "json://" + "a" * 1000],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        channels.scheme_of(address)


def why_not_sent() -> Reason:
    row = Channel(address=seal("json://127.0.0.1/"), scheme="json")
    with pytest.raises(NotSent) as caught:
        channels.send(row, Text(title="a", body="b"), user="alice")
    return caught.value.reason


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_child_that_somebody_ends_may_have_sent(
    ended_by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run

    def run_and_end(_asked: object, **how: Any) -> object:
        how.pop("input")
        code = f"import os, signal; signal.signal({ended_by}, signal.SIG_DFL)"
        if ended_by == signal.SIGKILL:
            code = "import os"
        return run([sys.executable, "-c", f"{code}; os.kill(os.getpid(), {ended_by})"], **how)

    monkeypatch.setattr("notices.channels.subprocess.run", run_and_end)
    assert why_not_sent() == Reason.INTERRUPTED


def test_a_child_that_does_not_start_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notices.channels.sys.executable", os.devnull)
    assert why_not_sent() == Reason.NO_ANSWER


def test_what_is_left_of_the_authorities_is_no_error(
    tmp_path: Path, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then the child has sent, and it would be sent once more."""
    own = tmp_path / "own.pem"
    own.write_bytes(b"a CA")
    set_env(ca_bundle=own)
    with channels._authorities() as bundle:
        assert Path(bundle).read_bytes() == Path(certifi.where()).read_bytes() + b"\na CA"
        Path(bundle).unlink()
    assert not Path(bundle).parent.exists()
