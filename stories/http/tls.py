"""Certificate authorities: the public ones, and an extra one where the network inspects TLS."""

from __future__ import annotations

import logging
import os
import re
import ssl
import tempfile
from pathlib import Path
from typing import Final

import certifi

from stories.http.authority_folder import AuthorityFolder

logger = logging.getLogger(__name__)

SYSTEM_FOLDER: Final = "/etc/ssl/certs"
"""Where the system keeps its own authorities; curl looks there by default."""
_PEM: Final = re.compile(
    r"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----.*?-----END \1-----", re.DOTALL
)


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
    """The authorities as curl takes them: the extra ones in a file, the public ones in a folder.

    ca_bundle: path of a PEM file with an extra authority. path: of the file. folders: to look in
    too, ":" in between. Each certificate is there once. Raises OSError when `ca_bundle` cannot be
    read.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._temporary: str | None = None
        self._memfd: int | None = None
        self._folder: AuthorityFolder | None = None
        self._refused = False
        public = _public()
        extra = ""
        if ca_bundle:
            text = Path(ca_bundle).read_text(encoding="utf-8", errors="replace")
            known = {der for der, _ in public}
            # Often the public ones with one more.
            extra = "\n".join(pem for der, pem in certificates_of(text) if der not in known)
        try:
            self._folder = AuthorityFolder(public)
        except OSError:
            eager = [pem for _, pem in public]  # nowhere to put a folder
        else:
            # curl wants a file with something in it.
            eager = [public[0][1], *self._folder.left]
        self.path = self._write("\n".join([*eager, extra]))
        folders = [self._folder.path] if self._folder else []
        self.folders = ":".join(folder for folder in [*folders, SYSTEM_FOLDER] if folder)

    def _write(self, text: str) -> str:
        if hasattr(os, "memfd_create"):
            # In memory, so that a killed worker leaves nothing behind.
            handle = self._memfd = os.memfd_create("authorities")
            path = f"/proc/self/fd/{handle}"
        else:
            handle, path = tempfile.mkstemp(prefix="authorities-", suffix=".pem")
            self._temporary = path
        with os.fdopen(handle, "w", encoding="utf-8", closefd=self._memfd is None) as file:
            file.write(text)
        return path

    def restore(self) -> None:
        """Put the public ones back where somebody cleared their folder up; best before each use."""
        if self._folder is None or self._folder.is_whole():
            return
        try:
            self._folder.refill(_public())
        except OSError as error:
            if not self._refused:
                logger.warning("the authorities cannot be put back: %s", error.strerror or error)
            self._refused = True
        else:
            self._refused = False

    def close(self) -> None:
        """Remove what was made."""
        if self._memfd is not None:
            os.close(self._memfd)
            self._memfd = None
        if self._temporary is not None:
            Path(self._temporary).unlink(missing_ok=True)
            self._temporary = None
        if self._folder is not None:
            self._folder.close()
            self._folder = None


def _public() -> list[tuple[bytes, str]]:
    """The public authorities: (as DER, as PEM)."""
    return certificates_of(Path(certifi.where()).read_text(encoding="utf-8"))


def certificates_of(text: str) -> list[tuple[bytes, str]]:
    """Each certificate of a PEM text once: (as DER, as PEM)."""
    found: dict[bytes, str] = {}
    for match in _PEM.finditer(text):
        try:
            der = ssl.PEM_cert_to_DER_cert(match[0])
        except ValueError:
            der = match[0].encode()  # curl has the say
        found.setdefault(der, match[0])
    return list(found.items())
