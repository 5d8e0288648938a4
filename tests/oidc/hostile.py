"""A small identity provider over real HTTP that can be told to lie in any part of its answers."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT_ID: Final = "storykeep"
CLIENT_SECRET: Final = "a secret of the client's"

Document = dict[str, Any]
Change = Callable[[Document], Document | None]


class Hostile:
    """A provider. change: what is done to a part of an answer (`discovery`, `keys`, `token`,
    `userinfo`, `header`, `claims`) before it is sent; `raw` answers a path by bytes. asked: paths.

    claims: of whoever signs in next. userinfo: what only that endpoint tells.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.key: Any = ec.generate_private_key(ec.SECP256R1())
        self.change: dict[str, Change] = {}
        self.raw: dict[str, bytes] = {}
        self.delay_s = 0.0
        self.asked: list[str] = []
        self.claims: Document = {"sub": "s-1", "preferred_username": "nora"}
        self.userinfo: Document = {}
        self._codes: dict[str, Document] = {}

    def sign_in(self, location: str, **answer: str) -> dict[str, str]:
        """Sign in at the address somebody was sent to; the parameters they come back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"state": asked["state"], "code": code, **answer}

    def document(self) -> Document:
        """The description."""
        at = self.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/keys",
            "userinfo_endpoint": f"{at}/userinfo",
            "scopes_supported": ["openid", "profile", "groups"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> Document:
        """The public key."""
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**jwk, "kid": "k1", "use": "sig", "alg": "ES256"}]}

    def token(self, form: dict[str, str]) -> Document:
        """The answer to a code, which it takes once, with its verifier, from our client alone."""
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None:
            return {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert challenge == asked["code_challenge"]
        assert (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        assert form["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        claims = self.claims | {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        claims = self._changed("claims", claims)
        header = self._changed("header", {"kid": "k1", "alg": "ES256", "key": self.key})
        key, algorithm = header.pop("key"), header.pop("alg")
        signed = jwt.encode(claims, key, algorithm=algorithm, headers=header)
        return {"access_token": "at", "token_type": "Bearer", "id_token": signed}

    def answer(self, path: str, form: dict[str, str]) -> bytes:
        """The body of an answer."""
        self.asked.append(path)
        time.sleep(self.delay_s)
        if path in self.raw:
            return self.raw[path]
        documents: dict[str, Callable[[], tuple[str, Document]]] = {
            "/.well-known/openid-configuration": lambda: ("discovery", self.document()),
            "/keys": lambda: ("keys", self.keys()),
            "/token": lambda: ("token", self.token(form)),
            "/userinfo": lambda: ("userinfo", {"sub": self.claims["sub"], **self.userinfo}),
        }
        return json.dumps(self._changed(*documents[path]())).encode()

    def _changed(self, part: str, document: Document) -> Document:
        change = self.change.get(part)
        return document if change is None else change(document) or document


@contextmanager
def running() -> Iterator[Hostile]:
    """A provider that listens."""
    provider = Hostile()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._respond({name: values[0] for name, values in parse_qs(body).items()})

        def _respond(self, form: dict[str, str]) -> None:
            body = provider.answer(urlsplit(self.path).path, form)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join(10)


def settings_for(issuer: str, **more: Any) -> dict[str, Any]:
    """What `set_env` takes for a provider at that issuer."""
    from pydantic import SecretStr

    return {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": SecretStr(CLIENT_SECRET),
        "public_url": "https://stories.example.org",
        **more,
    }


def query(parameters: dict[str, str]) -> str:
    """The parameters as they stand in an address."""
    return urlencode(parameters)
