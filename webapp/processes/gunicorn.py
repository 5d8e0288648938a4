"""Gunicorn's settings: one process with many threads, so that downloads never starve a poll."""

from __future__ import annotations

import gc
import os
from typing import Any

from webapp.processes import request_head as _request_head
from webapp.processes.supervisor import die_with_parent

# Loaded once, then forked: master and worker share what the app takes in memory.
preload_app = True
worker_class = "gthread"
workers = 1
# The worker's heartbeat is a file; in memory, a busy disk cannot make it look dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
graceful_timeout = 8
timeout = 60
keepalive = 15
# The Django settings decide what to believe of a proxy's headers, nothing else does.
forwarded_allow_ips = ""
# An address may carry a shared text through the sign-in, encoded twice.
limit_request_line = 8190
limit_request_field_size = _request_head.MAX_FIELD_BYTES
accesslog = None
loglevel = "warning"
control_socket_disable = True


def when_ready(_server: Any) -> None:
    """Load what the first request needs, and hide it from the garbage collector."""
    from django.template.loader import get_template
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 (imports every view)
    get_template("account/login.html")
    gc.collect()
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    """Let the worker die with a master that is killed without warning; bound what it reads."""
    die_with_parent()
    _request_head.install()
