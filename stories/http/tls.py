"""Whom we trust: the public authorities, and one extra where the network inspects TLS."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

import certifi


def trust(ca_bundle: str | None) -> ssl.SSLContext:
    """A client context. ca_bundle: path of a PEM file with an extra authority.

    Raises OSError or ssl.SSLError when the file cannot be read.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
        # Authorities of inspecting firewalls are often older than the strict profile.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class AuthorityFile:
    """One PEM file holding every authority, for curl, which takes a path and no more than one."""

    def __init__(self, ca_bundle: str | None) -> None:
        self._made: str | None = None
        self._memory: int | None = None
        self.path = certifi.where()
        if not ca_bundle:
            return
        together = b"\n".join(Path(source).read_bytes() for source in (certifi.where(), ca_bundle))
        if hasattr(os, "memfd_create"):
            # In memory, so that a killed worker leaves nothing behind.
            handle = self._memory = os.memfd_create("authorities")
            self.path = f"/proc/self/fd/{handle}"
        else:
            handle, self._made = tempfile.mkstemp(prefix="authorities-", suffix=".pem")
            self.path = self._made
        with os.fdopen(handle, "wb", closefd=self._made is not None) as file:
            file.write(together)

    def close(self) -> None:
        """Give the file up, when one was made."""
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None
        if self._made is not None:
            Path(self._made).unlink(missing_ok=True)
            self._made = None
