"""Gunicorn's settings, for one process with many threads."""

from __future__ import annotations

import os

from webapp.server import limits as _limits

graceful_timeout = 8
keepalive = 15
# Nobody looks at the file of its heartbeat, which is a pipe of ours; it has to be somewhere.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # nosec B108  # its files have no name
# The Django settings decide what to believe of a proxy's headers, nothing else does.
forwarded_allow_ips = ""
# An address may carry a shared text through the sign-in, encoded twice.
limit_request_line = 8190
limit_request_field_size = _limits.MAX_FIELD_BYTES
accesslog = None
loglevel = "warning"
