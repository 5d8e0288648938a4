"""Certificate authorities: the public ones, and an extra one where the network inspects TLS."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

import certifi


def client_context(ca_bundle: str | None) -> ssl.SSLContext:
    """An SSL context for clients. ca_bundle: path of a PEM file with an extra authority.

    Raises OSError or ssl.SSLError when the file cannot be read.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
        # Authorities of inspecting firewalls are often older than the strict profile.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class CaFile:
    """A PEM file of every authority, for curl, which takes a single path. path: of that file.

    ca_bundle: path of a PEM file with an extra authority. Raises OSError when it cannot be read.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._temporary: str | None = None
        self._memfd: int | None = None
        self.path = certifi.where()
        if not ca_bundle:
            return
        combined = b"\n".join(Path(source).read_bytes() for source in (certifi.where(), ca_bundle))
        if hasattr(os, "memfd_create"):
            # In memory, so that a killed worker leaves nothing behind.
            handle = self._memfd = os.memfd_create("authorities")
            self.path = f"/proc/self/fd/{handle}"
        else:
            handle, self._temporary = tempfile.mkstemp(prefix="authorities-", suffix=".pem")
            self.path = self._temporary
        with os.fdopen(handle, "wb", closefd=self._temporary is not None) as file:
            file.write(combined)

    def close(self) -> None:
        """Remove the file, when one was made."""
        if self._memfd is not None:
            os.close(self._memfd)
            self._memfd = None
        if self._temporary is not None:
            Path(self._temporary).unlink(missing_ok=True)
            self._temporary = None
