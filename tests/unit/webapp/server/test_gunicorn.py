"""Gunicorn's settings: headers it does not believe, long addresses, an end in time."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestLine
from gunicorn.http.parser import RequestParser

from webapp.env import Env
from webapp.processes import specs
from webapp.server import gunicorn


@pytest.fixture
def config() -> Any:
    """What Gunicorn makes of the module."""
    made = Config()
    for name, value in vars(gunicorn).items():
        if name in made.settings:
            made.set(name, value)
    return made


def request_of(config: Any, *lines: str) -> Any:
    """The request that comes from this machine in these lines."""
    sent = "\r\n".join([*lines, "Host: stories.example.org", "", ""]).encode()
    return next(RequestParser(config, iter([sent]), ("127.0.0.1", 50_000)))


def test_every_setting_is_one_that_gunicorn_knows(config: Any) -> None:
    ours = {name for name in vars(gunicorn) if not name.startswith("_")} - {"annotations", "os"}
    assert ours <= set(config.settings)
    assert config.workers == 1


@pytest.mark.parametrize("header", ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"])
def test_a_header_about_the_scheme_is_not_believed_even_from_this_machine(
    config: Any, header: str
) -> None:
    assert request_of(config, "GET / HTTP/1.1", header).scheme == "http"


def test_an_address_may_be_as_long_as_a_shared_text_needs(config: Any) -> None:
    """`test_a_long_shared_text_survives_the_sign_in` makes addresses of up to 8,000 bytes."""
    path = "/login/?next=" + "x" * 8_000
    assert request_of(config, f"GET {path} HTTP/1.1").uri == path
    with pytest.raises(LimitRequestLine):
        request_of(config, f"GET {path}{'x' * 8_000} HTTP/1.1")


def test_requests_are_let_end_before_the_supervisor_kills(config: Any) -> None:
    assert 0 < config.graceful_timeout < specs.web(Env()).grace_s


def test_no_request_is_written_down(config: Any) -> None:
    """Its address may hold the token of a link, or what somebody shared."""
    assert config.accesslog is None
