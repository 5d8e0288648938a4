"""What `manage.py diagnose --sign-in` finds: no address, no name, no secret, so that it can be
pasted in public."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError

from accounts.oidc import client, configured, links, metadata, wire
from accounts.oidc.errors import ProviderAway, Untrusted
from accounts.oidc.id_token import LEEWAY_S
from accounts.oidc.metadata import SIGNATURES, Metadata

WIDTH: Final = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. verdict: `ok`, `warn`, `fail` or `note`."""

    verdict: str
    part: str
    words: str

    def __str__(self) -> str:
        return f"{self.verdict:<5} {self.part:<{WIDTH}} {self.words}"


def look() -> list[Finding]:
    """Ask the provider for its description and keys, and say what of them fits."""
    findings = [_rules()]
    issuer = configured.issuer()
    try:
        response = wire.get(metadata.address(issuer))
        document = wire.json_of(response)
    except (ProviderAway, Untrusted) as error:
        findings.append(Finding("fail", "provider", f"its description cannot be had: {error}"))
    else:
        findings.append(Finding("ok", "provider", "it answers"))
        findings.append(_clock(response.headers.get("Date", "")))
        findings += _description(document, issuer)
    findings.append(_last_sign_in())
    return findings


def _rules() -> Finding:
    env = settings.STORYKEEP
    groups = [
        name
        for name, group in (("admins", env.oidc_admin_group), ("members", env.oidc_member_group))
        if group
    ]
    return Finding(
        "note",
        "settings",
        f"sign-up: {env.oidc_signup}; groups for: {' and '.join(groups) or 'nobody'};"
        f" {'no other way in' if env.oidc_only else 'passwords work as well'}",
    )


def _clock(date: str) -> Finding:
    try:
        ahead = round((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return Finding("note", "clock", "the provider does not say what time it has")
    if abs(ahead) < LEEWAY_S:
        return Finding("ok", "clock", "the provider's is ours, to the minute")
    words = f"the provider's is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} ours"
    return Finding("fail", "clock", f"{words}; tokens are refused from {LEEWAY_S} s on")


def _description(document: dict[str, Any], issuer: str) -> Iterator[Finding]:
    said = document.get("issuer")
    if isinstance(said, str) and said != issuer and said.rstrip("/") == issuer.rstrip("/"):
        slash = "with" if said.endswith("/") else "without"
        words = f"write STORYKEEP_OIDC_ISSUER {slash} a slash at its end, as the provider does"
        yield Finding("fail", "issuer", words)
        return
    try:
        provider = metadata.parse(document, issuer)
    except Untrusted as error:
        yield Finding("fail", "issuer", str(error))
        return
    yield Finding("ok", "issuer", "the one that is set")
    yield _signatures(provider)
    methods = document.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        yield Finding("warn", "PKCE", "the provider does not say that it knows S256")
    yield _scopes(provider)


def _signatures(provider: Metadata) -> Finding:
    if provider.algorithms and provider.algorithms.isdisjoint(SIGNATURES):
        return Finding("fail", "signature", "only with the client secret; choose a signing key")
    try:
        keys = wire.get_json(provider.keys_url).get("keys")
    except (ProviderAway, Untrusted) as error:
        return Finding("fail", "signature", f"the keys cannot be had: {error}")
    if not isinstance(keys, list) or not keys:
        return Finding("fail", "signature", "the provider shows no key; choose a signing key")
    return Finding("ok", "signature", f"keys: {len(keys)}")


def _scopes(provider: Metadata) -> Finding:
    asked = client.scopes(provider)
    wants_groups = settings.STORYKEEP.oidc_admin_group or settings.STORYKEEP.oidc_member_group
    words = f"asked for: {' '.join(asked)}"
    if wants_groups and "groups" not in asked:
        words += "; groups is no scope there, so that they must come without one"
    return Finding("note", "scopes", words)


def _last_sign_in() -> Finding:
    try:
        row = links.last_seen()
    except DatabaseError:
        return Finding("warn", "last", "the database does not say who signed in last")
    if row is None:
        return Finding("note", "last", "nobody has signed in by it yet")
    told = row.extra_data
    ours = [name for name in ("member", "admin") if told.get(name)]
    words = f"{row.last_login:%Y-%m-%d %H:%M} UTC, groups: {told.get('groups', 0)}"
    return Finding("note", "last", f"{words}, ours among them: {' and '.join(ours) or 'none'}")
