"""The address of this instance, for links that are printed rather than served."""

from __future__ import annotations

import re
import socket

from webapp.env import Env
from webapp.env_types import split_published


def base_url(env: Env) -> str:
    """STORYKEEP_PUBLIC_URL, else where the web server is reached; ends without a slash."""
    return env.public_url or _listening_url(env)


def absolute_url(env: Env, path: str) -> str:
    """The address of a path. path: as `reverse()` returns it, the sub-path included."""
    return env.absolute_url(path) or f"{_listening_url(env)}{path}"


def _listening_url(env: Env) -> str:
    """`http://host:port` of the web server, as other machines on the network can open it."""
    host, port = env.bind, env.port
    if env.published_port:
        published, port = split_published(env.published_port)
        host = published or host
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # nosec B104  # compared, not bound
        host = socket.gethostname()
        if re.fullmatch("[0-9a-f]{12}", host):  # a container's name: nobody outside knows it
            host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
