"""QR codes of pages of this instance, for a phone's camera."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.utils.html import format_html
from django.utils.safestring import SafeString

QUIET = 4
"""White modules around a code, as the standard asks for."""

_LOCAL = {"localhost", "127.0.0.1", "::1"}


def is_local(url: str) -> bool:
    """True for a URL that leads back to whichever machine opens it."""
    return urlsplit(url).hostname in _LOCAL


def svg(text: str, title: str = "") -> SafeString:
    """A QR code of `text` as SVG: dark on white in every theme, because cameras need it so."""
    from qrcode.main import QRCode  # brings Pillow along, which the web process else never loads

    code = QRCode(border=QUIET)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    dark = "".join(
        f"M{across} {down}h1v1h-1z"
        for down, row in enumerate(rows)
        for across, is_dark in enumerate(row)
        if is_dark
    )
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {0}" role="img"'
        ' shape-rendering="crispEdges" class="qr"><title>{1}</title>'
        '<path fill="#fff" d="M0 0h{0}v{0}H0z"/><path fill="#111" d="{2}"/></svg>',
        len(rows),
        title,
        dark,
    )
