"""The bucket of the settings, opened when first asked for: without one, no client is loaded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from jobs.files.bucket_address import BucketAddress, address

if TYPE_CHECKING:
    from jobs.files.bucket import Bucket

_lock: Final = threading.Lock()
_opened: Final[dict[BucketAddress, Bucket]] = {}


def bucket() -> Bucket:
    """The bucket for saved files. Only where one is set."""
    where = address()
    opened = _opened.get(where)
    if opened is not None:
        return opened
    from jobs.files.bucket import Bucket

    with _lock:
        if where not in _opened:
            _opened.clear()
            _opened[where] = Bucket(where)
        return _opened[where]
