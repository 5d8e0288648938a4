"""What no pack can change: whom we may ask at all, as whom, and what an answer may be read as."""

from __future__ import annotations

from typing import Final, Literal, get_args

FORMAT: Final = 1
"""The number of the document's form that this program reads."""
MAX_BYTES: Final = 256 * 1024
"""Bytes of a document, in its envelope or not, at most."""

SITE_HOST: Final = "www.tiktok.com"
"""The host that is always among the page hosts: links to it stand in files and pages."""

PAGE_PARENTS: Final = ("tiktok.com", "tiktokv.com", "tiktokv.us", "tiktokv.eu")
"""Domains of TikTok's own: pages, lists and links are on them or below."""
MEDIA_PARENTS: Final = (
    "tiktok.com",
    "tiktokcdn.com",
    "tiktokcdn-us.com",
    "tiktokcdn-eu.com",
    "tiktokcdn-in.com",
    "tiktokcdn-row.com",
    "tiktokv.com",
    "tiktokv.us",
    "tiktokv.eu",
    "ttwstatic.com",
    "ibyteimg.com",
    "byteicdn.com",
    "muscdn.com",
)
"""Domains of TikTok's own on which files may be; those of hosters, where anybody can rent a name,
are none."""
SERVICE_WORDS: Final = frozenset({"", "the shop", "the advertising site", "a live", "an app page"})
"""What another service below tiktok.com can be, in words that pages have in every language."""

TlsTarget = Literal[
    "chrome131",
    "chrome136",
    "chrome142",
    "chrome145",
    "chrome146",
    "chrome150",
    "firefox135",
    "firefox144",
    "firefox147",
    "safari180",
    "safari184",
    "safari260",
    "safari2601",
]
"""A browser whose TLS handshake curl can copy. Pinned: a name without a version would move."""
TLS_TARGETS: Final[tuple[TlsTarget, ...]] = get_args(TlsTarget)

CodeName = Literal[
    "absent",
    "age_restricted",
    "challenged",
    "gone",
    "login_required",
    "no_such_account",
    "private_account",
    "private_post",
    "rate_limited",
    "refused",
    "region_locked",
    "unavailable",
    "upstream_changed",
    "upstream_down",
    "withheld",
]
"""What an answer can mean. absent: gone as one page says it, which another may deny. withheld:
unavailable, for now to everybody. None means that an account has no story."""

KEPT_OUT: Final[frozenset[CodeName]] = frozenset(
    {"challenged", "login_required", "rate_limited", "refused"}
)
"""Names of answers that say something of us, and nothing of an account or an item."""
FINAL: Final[frozenset[CodeName]] = frozenset({"absent", "gone", "no_such_account"})
"""Names of answers after which nobody asks again."""
_EITHER: Final[frozenset[CodeName]] = frozenset(get_args(CodeName)) - FINAL
ACCOUNT_NAMES: Final[frozenset[CodeName]] = _EITHER | {"no_such_account"}
"""What an answer about an account may mean."""
ITEM_NAMES: Final[frozenset[CodeName]] = frozenset(get_args(CodeName))
"""What an answer about one item may mean; `gone` of a number only where the built-in says so."""

PLAYED: Final = frozenset({"h264", "hevc"})
"""Codecs that players open: no pack can say otherwise."""
