"""Requests to the provider: bounded in time and size, few at once, no redirects, https alone.

Each is made in a thread of its own, so that a provider that drips one byte at a time holds no
thread of the web server for longer than DEADLINE_S.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from accounts.oidc.errors import ProviderAway, Untrusted

T = TypeVar("T")

CONNECT_S: Final = 3
READ_S: Final = 5
DEADLINE_S: Final = 8.0
"""Seconds for one request, whatever the provider does."""
MAX_BYTES: Final = 512 * 1024
MAX_CONCURRENT: Final = 6
"""Requests to the provider at the same time."""
WAIT_FOR_PLACE_S: Final = 0.5

_SIGNS: Final = {
    "NameResolutionError": "nobody knows a host of this name",
    "Connection refused": "nothing listens at its address and port",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; an authority of one's own goes "
    "into STORYKEEP_CA_BUNDLE",
    "WRONG_VERSION_NUMBER": "it speaks http at a port where https is expected",
    "ConnectTimeoutError": f"no connection within {CONNECT_S} s",
    "Read timed out": f"no answer within {READ_S} s",
}
"""What is told for what stands in an error: the library has one class for most of them."""

_places = threading.BoundedSemaphore(MAX_CONCURRENT)


class BoundedSession(requests.Session):
    """A session whose answers have a limit, and which follows no redirect and reads no file of the
    user's (`.netrc`)."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Accept-Encoding"] = "identity"
        self.mount("https://", _CheckedTls())

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """The answer, with all of its body. Raises ProviderAway and Untrusted."""
        check_address(str(url))
        options |= {"timeout": (CONNECT_S, READ_S), "stream": True, "allow_redirects": False}
        return _apart(lambda: self._read(method, url, args, options))

    def _read(self, method: Any, url: Any, args: Any, options: Any) -> requests.Response:
        until = time.monotonic() + DEADLINE_S
        try:
            with super().request(method, url, *args, **options) as response:
                body = bytearray()
                for part in response.iter_content(16 * 1024):
                    body += part
                    if len(body) > MAX_BYTES:
                        raise Untrusted("an answer is too long")
                    if time.monotonic() > until:
                        raise ProviderAway("an answer takes too long")
        except requests.RequestException as error:
            raise ProviderAway(_words(error)) from error
        response._content = bytes(body)  # noqa: SLF001 (there is no other way to bound it)
        return response


def _words(error: requests.RequestException) -> str:
    """What an admin can do something about, of what the library says of a connection."""
    said = repr(error)
    for sign, words in _SIGNS.items():
        if sign in said:
            return words
    return type(error).__name__


class _CheckedTls(HTTPAdapter):
    """Checks certificates against the system's authorities, the library's and our extra one."""

    def init_poolmanager(self, *args: Any, **options: Any) -> Any:
        context = ssl.create_default_context()
        if settings.STORYKEEP.ca_bundle:
            context.load_verify_locations(settings.STORYKEEP.ca_bundle)
        return super().init_poolmanager(*args, ssl_context=context, **options)


def check_address(url: str) -> None:
    """Raise Untrusted for an address that is not https; plain http may lead to this machine."""
    parts = urlsplit(url)
    on_this_machine = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and on_this_machine):
        raise Untrusted("an address of the provider is not https")


def get(url: str, **headers: str) -> requests.Response:
    """The answer of an address, whatever its status. Raises ProviderAway and Untrusted."""
    with BoundedSession() as session:
        return session.request("GET", url, headers={"Accept": "application/json", **headers})


def get_json(url: str, **headers: str) -> dict[str, Any]:
    """The JSON object at an address. Raises ProviderAway and Untrusted."""
    return json_of(get(url, **headers))


def json_of(response: requests.Response) -> dict[str, Any]:
    """The JSON object in an answer. Raises ProviderAway and Untrusted."""
    if response.status_code != requests.codes.ok:
        where = urlsplit(response.url or "").path
        raise ProviderAway(f"an answer has status {response.status_code} ({where})")
    try:
        document = response.json()
    except (ValueError, RecursionError) as error:
        raise Untrusted("an answer is no JSON") from error
    if not isinstance(document, dict):
        raise Untrusted("an answer is no JSON object")
    return document


def _apart(work: Callable[[], T]) -> T:
    """What the work returns, done in a thread that nobody waits for longer than DEADLINE_S."""
    if not _places.acquire(timeout=WAIT_FOR_PLACE_S):
        raise ProviderAway("too many requests are on their way")
    outcome: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((True, work()))
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            outcome.put((False, error))
        finally:
            _places.release()

    threading.Thread(target=run, name="provider", daemon=True).start()
    try:
        is_done, value = outcome.get(timeout=DEADLINE_S + 1)
    except queue.Empty:
        raise ProviderAway("an answer takes too long") from None
    if is_done:
        result: T = value
        return result
    raise value
