"""QR codes: what leads back to the same machine, and a code a camera can read."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from qrcode.main import QRCode

from jobs.pages import qr

FINDER = ["#######", "#     #", "# ### #", "# ### #", "# ### #", "#     #", "#######"]
"""The square by which a camera finds three of the corners."""


def drawn(svg: str) -> list[str]:
    """The modules of a code row by row, dark ones as "#"."""
    root = ET.fromstring(svg)  # noqa: S314 - ours
    size = int(root.attrib["viewBox"].split()[2])
    dark = {
        (int(across), int(down)) for across, down in re.findall(r"M(\d+) (\d+)h1v1h-1z", str(svg))
    }
    return [
        "".join("#" if (across, down) in dark else " " for across in range(size))
        for down in range(size)
    ]


def corner(rows: list[str], across: int, down: int) -> list[str]:
    """Seven by seven modules from this one on."""
    return [row[across : across + 7] for row in rows[down : down + 7]]


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST:8000/jobs/1/",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000/",
        "https://someone@localhost/",
    ],
)
def test_an_address_of_this_machine_is_of_no_use_to_a_phone(url: str) -> None:
    assert qr.is_local(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.7/",
        "https://localhost.example/",
        "https://keep.example/localhost",
        "https://localhost@keep.example/",
        "/jobs/1/",
        "",
    ],
)
def test_every_other_address_may_be_opened_elsewhere(url: str) -> None:
    assert not qr.is_local(url)


# --- codes ----------------------------------------------------------------------------------------


def test_a_code_has_its_three_corners_within_a_white_margin() -> None:
    rows = drawn(qr.svg("https://keep.example/jobs/1/"))
    far = len(rows) - qr.QUIET - 7
    assert corner(rows, qr.QUIET, qr.QUIET) == FINDER
    assert corner(rows, far, qr.QUIET) == FINDER
    assert corner(rows, qr.QUIET, far) == FINDER
    assert corner(rows, far, far) != FINDER
    assert "#" not in "".join(rows[:4] + rows[-4:])
    assert {row[:4] + row[-4:] for row in rows} == {" " * 8}


@pytest.mark.parametrize(
    "text", ["", "https://keep.example/", 'https://keep.example/?q=<&">', "Älice 🎉", "x" * 500]
)
def test_a_code_says_its_text_and_nothing_else(text: str) -> None:
    code = QRCode(border=4)
    code.add_data(text)
    code.make(fit=True)
    wanted = ["".join("#" if dark else " " for dark in row) for row in code.get_matrix()]
    assert drawn(qr.svg(text)) == wanted


def test_a_code_is_dark_on_white_whatever_the_theme() -> None:
    white, dark = ET.fromstring(qr.svg("x")).iter("{http://www.w3.org/2000/svg}path")  # noqa: S314
    assert (white.attrib["fill"], dark.attrib["fill"]) == ("#fff", "#111")
    assert white.attrib["d"] == "M0 0h29v29H0z"


def test_a_hostile_title_stays_text() -> None:
    title = "</title><script>alert(1)</script>&\"'"
    code = qr.svg("x", title)
    assert "<script" not in code
    (shown,) = ET.fromstring(code).iter("{http://www.w3.org/2000/svg}title")  # noqa: S314 - ours
    assert shown.text == title
