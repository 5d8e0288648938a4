"""Where people find this instance, for links that are printed rather than served."""

from __future__ import annotations

import re
import socket

from django.conf import settings

from webapp.env import Env


def address(env: Env, *, with_path: bool = True) -> str:
    """Where people find this instance; ends without a slash."""
    if env.public_url:
        path = settings.FORCE_SCRIPT_NAME or ""
        return env.public_url if with_path else env.public_url.removesuffix(path)
    host = env.bind
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = socket.gethostname()
        if re.fullmatch("[0-9a-f]{12}", host):  # a container's name: nobody outside knows it
            host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{env.port}"
