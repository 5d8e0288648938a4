"""Answers without the site: whole, closing, and without a word about the software."""

from __future__ import annotations

import http.client
import socket

import pytest

from webapp.server import plain_answers


@pytest.mark.parametrize(
    ("answer", "status"), [(plain_answers.TOO_SLOW, 408), (plain_answers.TOO_BUSY, 503)]
)
def test_it_is_an_answer(answer: bytes, status: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(answer)
        response = http.client.HTTPResponse(theirs)
        response.begin()
        assert response.status == status
        assert response.getheader("Connection") == "close"
        assert response.getheader("Server") is None
        assert response.read() == b""
