"""A diagnosis: the probe of TikTok, and that nothing private gets into its findings."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from jobs.ops import checks, diagnostics
from jobs.ops.diagnostics import parse_account
from jobs.ops.findings import Finding, Verdict
from stories.errors import InputError, NoSuchAccount, PrivateAccount, Refused, UpstreamDown
from stories.probe import ProbeReport, Step, StepResult
from tests.memory import redis_stays_away


def probe(name: str) -> list[Finding]:
    return diagnostics.probe_tiktok(parse_account(name))


@pytest.fixture
def probe_finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`probe_finds(step, …)`: what the probe of TikTok finds."""

    def set_up(*steps: StepResult, ahead: float | None = None) -> None:
        async def answer(*_: Any) -> ProbeReport:
            return ProbeReport(steps=steps, clock_ahead_s=ahead)

        monkeypatch.setattr(diagnostics, "_probe", answer)

    return set_up


def test_a_look_that_works(probe_finds: Callable[..., None]) -> None:
    probe_finds(
        StepResult(step=Step.PROFILE, took_s=0.42),
        StepResult(step=Step.LIST, took_s=0.1, stories=3),
        StepResult(
            step=Step.MEDIA, took_s=12, sample_bytes=1024, file_format="an MP4 file", mirror=2
        ),
        ahead=-3600,
    )
    assert [str(finding.message) for finding in probe("@Some.One")] == [
        "@some.one found in 420 ms",
        "3 active stories listed in 100 ms",
        "1024 bytes of an MP4 file in 12 s, from address 2",
        "This server's clock is 60 min behind TikTok's",
    ]


def test_hosts_that_files_are_refused_on_are_named(probe_finds: Callable[..., None]) -> None:
    hosts = ("v16.tiktokcdn-row.com", "p16.byteicdn.com")
    probe_finds(
        StepResult(step=Step.PROFILE, took_s=0.4),
        StepResult(step=Step.LIST, took_s=0.1, stories=3, unknown_hosts=hosts),
        StepResult(step=Step.MEDIA, took_s=1, sample_bytes=1024, file_format="an MP4 file"),
    )
    named = probe("@some.one")[-1]
    assert (named.part, named.verdict) == ("hosts", Verdict.WARN)
    assert str(named.message).startswith("2 unknown hosts, ")
    assert str(named.message).endswith(": v16.tiktokcdn-row.com, p16.byteicdn.com")


def test_a_look_that_fails(probe_finds: Callable[..., None]) -> None:
    error = Refused("www.tiktok.com/@some.one: status 403")
    probe_finds(StepResult(step=Step.PROFILE, took_s=0.2, error=error))
    (finding,) = probe("some.one")
    assert finding.verdict is Verdict.FAIL
    assert finding.message == (
        "@some.one: refused after 200 ms (www.tiktok.com/@some.one: status 403)"
    )
    assert "refusing this server" in finding.hint


def test_a_way_that_breaks_says_so_without_names(probe_finds: Callable[..., None]) -> None:
    probe_finds(StepResult(step=Step.LIST, took_s=2, broke="exit 3 at @nora, http://a/?sig=1"))
    (finding,) = probe("some.one")
    assert finding.verdict is Verdict.FAIL
    assert finding.message == "the way broke after 2000 ms: exit 3 at @…, http://a/?…"


def test_a_way_that_is_not_ready_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[str] = []

    async def answer(_target: Any, way: str, _recorder: Any) -> ProbeReport:
        ways.append(way)
        return ProbeReport(not_ready="no Chromium on the PATH")

    monkeypatch.setattr(diagnostics, "_probe", answer)
    (finding,) = diagnostics.probe_tiktok(parse_account("@some.one"), "browser")
    assert ways == ["browser"]
    assert (finding.part, finding.verdict) == ("tiktok", Verdict.FAIL)
    assert finding.message == "browser cannot be asked: no Chromium on the PATH"
    assert "STORYKEEP_BROWSER" in finding.hint


@pytest.mark.django_db
def test_a_way_that_is_on_and_not_ready_here_is_told(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None], tmp_path: Path
) -> None:
    set_env(data_dir=tmp_path, browser=SecretStr("local"))
    redis_stays_away()
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = [one for one in diagnostics.run().findings if one.part == "ways"]
    assert finding.verdict is Verdict.WARN
    assert "browser on, but not ready (no Chromium on the PATH)" in str(finding.message)


@pytest.fixture
def proxy(set_env: Callable[..., None]) -> Iterator[socket.socket]:
    """Something that takes connections, until it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        set_env(proxy=SecretStr(f"http://someone:hunter2@127.0.0.1:{port}"))
        yield server


def test_a_proxy_that_is_down_is_not_tiktoks_fault(
    proxy: socket.socket, probe_finds: Callable[..., None]
) -> None:
    probe_finds(StepResult(step=Step.PROFILE, took_s=0))
    (finding,) = checks.check_proxy()
    assert finding.verdict is Verdict.OK
    assert [finding.part for finding in probe("some.one")] == ["profile"]
    proxy.close()
    (finding,) = checks.check_proxy()
    assert (finding.verdict, finding.message) == (
        Verdict.FAIL, "takes no connection (ConnectionRefusedError)",
    )  # fmt: skip
    (finding,) = probe("some.one")
    assert finding.message == "cannot be asked: the proxy takes no connection"
    assert "STORYKEEP_PROXY" in finding.hint


def test_what_a_proxy_refuses_is_not_tiktoks_fault(probe_finds: Callable[..., None]) -> None:
    error = UpstreamDown("www.tiktok.com/@some.one: ProxyError")
    error.__cause__ = type("ProxyError", (Exception,), {})()
    probe_finds(StepResult(step=Step.PROFILE, took_s=0.2, error=error))
    (finding,) = probe("some.one")
    assert "STORYKEEP_PROXY" in finding.hint
    assert "TikTok" not in finding.hint


def test_nothing_to_try_a_file_on(probe_finds: Callable[..., None]) -> None:
    probe_finds(StepResult(step=Step.MEDIA, took_s=0, skipped=True))
    (finding,) = probe("some.one")
    assert finding.verdict is Verdict.NOTE


def test_an_authority_that_cannot_be_read(set_env: Callable[..., None]) -> None:
    set_env(ca_bundle="/srv/secret/place.pem")
    (finding,) = probe("some.one")
    assert finding.message == "cannot be asked (FileNotFoundError)"


@pytest.mark.parametrize("line", ["https://vm.tiktok.com/ZMabcdef1/", "", "x y", "#tag"])
def test_only_an_account_will_do(line: str) -> None:
    with pytest.raises(InputError):
        parse_account(line)


@pytest.mark.parametrize("error", [PrivateAccount("real.name"), NoSuchAccount("status 404")])
def test_no_other_name_is_told(probe_finds: Callable[..., None], error: Any) -> None:
    probe_finds(StepResult(step=Step.PROFILE, took_s=0, error=error))
    (finding,) = probe("@given")
    assert "real.name" not in finding.message
