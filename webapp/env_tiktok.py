"""Settings of how this instance asks TikTok: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from webapp.env_types import BrowserAddress, CertificateFile, DocumentUrl, ProxyUrl, PublicKey


class TikTokSettings(BaseModel):
    """The route to TikTok, the ways of asking it, and their pace."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    proxy: ProxyUrl | None = Field(
        None, description="Outbound HTTP proxy for everything sent to TikTok and its CDN."
    )
    ca_bundle: CertificateFile | None = Field(
        None, description="PEM file with an extra authority for outbound TLS."
    )
    page_transport: Literal["curl", "httpx"] = Field(
        "curl",
        description="How pages and lists are asked for: `curl` looks like a browser on the wire, "
        "`httpx` is plain. What TikTok refuses is asked for once more as somebody else: `curl` "
        "also as an older browser and over `httpx`, `httpx` never over `curl`.",
    )
    protocol_url: DocumentUrl | None = Field(
        None,
        description="Address of a signed protocol pack, `https://…`, that can be looked at for a "
        "newer one: by an admin's click, or each week. Nobody is asked when unset.",
    )
    protocol_updates: Literal["off", "weekly"] = Field(
        "off",
        description="`weekly`: look there once a week, and take a newer pack that is rightly "
        "signed. Needs `PROTOCOL_URL`.",
    )
    protocol_key: PublicKey | None = Field(
        None,
        description="A public key whose protocol packs are taken beside those of Storykeep's own, "
        "as `tools/protocol_sign.py` prints it.",
    )
    browser: BrowserAddress = Field(
        SecretStr("off"),
        description="A browser to ask TikTok by where Storykeep's own requests are refused: `off`, "
        "`local` (Chromium on the PATH), or the debugging address of one beside the worker, "
        "`http://…` or `ws://…`.",
    )
    browser_per_hour: int = Field(
        20,
        ge=0,
        le=100_000,
        description="Most look-ups the browser makes in an hour; 0 = no limit.",
    )
    list_rate: float = Field(
        0.5,
        ge=0,
        le=1000,
        description="Page and list requests to TikTok per second; 0 = unlimited.",
    )
    list_burst: int = Field(
        10, ge=1, le=10_000, description="How many such requests may go at once before the rate."
    )
