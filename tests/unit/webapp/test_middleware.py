"""What every answer has in common."""

from __future__ import annotations

import io
from collections.abc import Callable
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler

Asked = Callable[[str, str], tuple[bytes, dict[str, str]]]


@pytest.fixture
def asked(db: None) -> Asked:
    """A request as a server makes it: the test client would take the body off by itself."""

    def ask(method: str, path: str) -> tuple[bytes, dict[str, str]]:
        environ: dict[str, object] = {"REQUEST_METHOD": method, "PATH_INFO": path}
        environ["REMOTE_ADDR"] = "127.0.0.1"
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO()
        sent: dict[str, str] = {}
        parts = WSGIHandler()(environ, lambda _status, headers: sent.update(headers))
        return b"".join(parts), sent

    return ask


@pytest.mark.parametrize("path", ["/health/live", "/login/", "/nothing/here/"])
def test_a_head_has_the_headers_of_a_get_and_no_body(asked: Asked, path: str) -> None:
    body, of_get = asked("GET", path)
    nothing, of_head = asked("HEAD", path)
    assert body
    assert nothing == b""
    assert of_head["Content-Length"] == of_get["Content-Length"] == str(len(body))
    assert "default-src 'none'" in of_head["Content-Security-Policy"]
