"""A real identity provider, django-allauth's own, in a process of its own.

`python -m tests.oidc.real PORT FOLDER REDIRECT` listens on 127.0.0.1, with people `nora` (group
`family`) and `boss` (groups `family` and `admins`), whose passwords are their names twice.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Final
from urllib.error import URLError
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

CLIENT_ID: Final = "storykeep"
CLIENT_SECRET: Final = "only-in-tests"
PEOPLE: Final = {"nora": ["family"], "boss": ["family", "admins"], "kin": ["family"], "guest": []}
ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 200


@contextmanager
def starting(port: int, folder: Path, redirect: str) -> Iterator[subprocess.Popen[bytes]]:
    """A provider that knows our redirect address, and soon listens (`until_ready`)."""
    argv = [sys.executable, "-m", "tests.oidc.real", str(port), str(folder), redirect]
    process = subprocess.Popen(argv, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def until_ready(issuer: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a provider listens."""
    until_answers(f"{issuer}/.well-known/openid-configuration", process)


def until_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process answers at an address."""
    deadline = time.monotonic() + PATIENCE_S
    while not _answers(url):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _configure(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    settings.configure(
        SECRET_KEY="of a provider in tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="tests.oidc.real_urls",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "provider.sqlite3"),
            }
        },
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        SESSION_COOKIE_NAME="provider_session",  # cookies know no ports
        CSRF_COOKIE_NAME="provider_csrf",
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_LOGIN_METHODS={"username"},
        ACCOUNT_SIGNUP_FIELDS=["username*", "password1*", "password2*"],
        ACCOUNT_RATE_LIMITS=False,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        MIGRATION_MODULES=dict.fromkeys(
            ("auth", "contenttypes", "sessions", "account", "allauth_idp_oidc")
        ),
        IDP_OIDC_PRIVATE_KEY=key.decode(),
        IDP_OIDC_ADAPTER="tests.oidc.real_adapter.Adapter",
        LOGIN_URL="account_login",
        LOGIN_REDIRECT_URL="/",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )


def _fill(redirect: str) -> None:
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    for name, groups in PEOPLE.items():
        user = User.objects.create_user(name, password=name * 2)
        user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    client = Client(
        id=CLIENT_ID,
        name="Storykeep",
        scopes="openid\nprofile\ngroups",
        redirect_uris=redirect,
    )
    client.set_secret(CLIENT_SECRET)
    client.save()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def main(port: int, folder: Path, redirect: str) -> None:
    """Listen until the process ends."""
    import django

    _configure(folder)
    django.setup()
    _fill(redirect)
    from django.core.wsgi import get_wsgi_application

    with make_server(
        "127.0.0.1", port, get_wsgi_application(), server_class=_Server, handler_class=_Quiet
    ) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
