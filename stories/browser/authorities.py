"""The extra authority of a network that inspects TLS, made known to a browser of our own.

Chromium on Linux takes extra authorities from an NSS database in its home, and from nowhere else
that needs no rights. Its switches that overlook certificate errors would let in anybody.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import certifi

from stories.browser import nss_database
from stories.http.tls import certificates_of
from stories.ways import WayFailed

_FOLDERS: Final = (".pki/nssdb", ".local/share/pki/nssdb")
"""Below the home: until version 134 of Chromium or so, and since."""
_MOST: Final = 500
_TIMEOUT_S: Final = 20


def trust(home: Path, ca_bundle: str) -> None:
    """Let a browser that lives in `home` trust a PEM file's authorities, too. Blocks.

    Raises WayFailed.
    """
    try:
        text = Path(ca_bundle).read_text(encoding="utf-8", errors="replace")
        public = Path(certifi.where()).read_text(encoding="utf-8")
    except OSError as error:
        raise WayFailed("the CA bundle cannot be read") from error
    known = {der for der, _ in certificates_of(public)}
    extra = [pem for der, pem in certificates_of(text) if der not in known][:_MOST]
    if not extra:
        return
    file = home / "authorities.pem"
    file.write_text("\n".join(extra), encoding="ascii")
    for folder in _FOLDERS:
        command = [sys.executable, "-I", nss_database.__file__, str(home / folder), str(file)]
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                timeout=_TIMEOUT_S,
                env={"HOME": str(home)},
                cwd=home,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise WayFailed("the browser cannot be told of the CA bundle") from error
