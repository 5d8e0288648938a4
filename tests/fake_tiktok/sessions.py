"""Browser sessions: the cookies a page sets, and which browser they were set for."""

from __future__ import annotations

import string

from tests.fake_tiktok.exchange import Request
from tests.fake_tiktok.state import State

_LETTERS = string.ascii_letters + string.digits
_SCOPE = "; Path=/; Domain=.tiktok.com; Max-Age=15552000; HttpOnly; Secure"


class Sessions:
    """The sessions of one site. agents: tt_chain_token -> User-Agent of its last page request."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.agents: dict[str, str] = {}

    def new_token(self, user_agent: str) -> str:
        """A tt_chain_token for a session that begins."""
        token = "".join(self._state.rng.choice(_LETTERS) for _ in range(22)) + "=="
        self.agents[token] = user_agent
        return token

    def session_of(self, request: Request) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The session's tt_chain_token, and the cookies to set when it is new."""
        token = request.cookies.get("tt_chain_token", "").strip('"')
        if token in self.agents:
            self.agents[token] = request.user_agent
            return token, ()
        token = self.new_token(request.user_agent)
        cookies = [
            ("ttwid", f"1%7C{token[:12]}%7C{int(self._state.now())}%7Cabcdef"),
            ("tt_csrf_token", f"{token[:8]}-{token[8:16]}"),
            ("tt_chain_token", token),
        ]
        return token, tuple(("Set-Cookie", f"{name}={value}{_SCOPE}") for name, value in cookies)
