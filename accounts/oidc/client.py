"""The exchange with the provider: to its sign-in page, and back with a code that becomes a person.

django-allauth's `openid_connect` keeps the state, makes the PKCE challenge and exchanges the code.
What it does not do stands here: a nonce, the signature and the rest of the ID token, userinfo about
the same person, the issuer in the answer, an address that follows from the settings alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.oidc import configured, discovery, identity, wire
from accounts.oidc import id_token as tokens
from accounts.oidc.errors import ProviderAway, Untrusted
from accounts.oidc.identity import Identity
from accounts.oidc.metadata import Metadata

WAIT_S: Final = 4.0
"""Seconds that somebody who pressed the button waits for the provider's description."""
FRESHLY: Final = {"prompt": "login", "max_age": "0"}
"""Has the provider ask for the password or passkey again."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Somebody who came back. state: what was stored when they left."""

    identity: Identity
    state: dict[str, Any]


class StateLost(Exception):
    """Nobody left from this browser, or too long ago, or they have come back already."""


class Declined(Exception):
    """The provider sent somebody back without a code. code: its own word, such as
    `access_denied`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def redirect_address() -> str:
    """Where the provider sends people back to, by the settings alone."""
    return str(settings.STORYKEEP.absolute_url(reverse("oidc_callback")))


def scopes(provider: Metadata) -> list[str]:
    """What is asked for. Groups only where one of the settings is about them, and the provider
    knows the word."""
    env = settings.STORYKEEP
    wanted = ["openid", "profile"]
    if (env.oidc_admin_group or env.oidc_member_group) and "groups" in provider.scopes:
        wanted.append("groups")
    return wanted


def provider_metadata(wait_s: float = WAIT_S) -> Metadata:
    """The provider's description. Raises ProviderAway."""
    return discovery.of(configured.issuer()).metadata(wait_s)


def leave(
    request: HttpRequest, process: str, *, next_url: str = "", freshly: bool = False, **kept: str
) -> HttpResponse:
    """Send somebody to the provider. Raises ProviderAway.

    process: what for. freshly: have them show again who they are. kept: for when they return.
    """
    metadata = provider_metadata()
    nonce = secrets.token_urlsafe(32)
    if not request.user.is_authenticated:
        request.session.set_expiry(statekit.STATE_TTL)
    provider = _Provider(request, metadata)
    response: HttpResponse = provider.redirect(
        request,
        process,
        next_url=next_url,
        auth_params={"nonce": nonce, **(FRESHLY if freshly else {})},
        scope=scopes(metadata),
        nonce=nonce,
        **kept,
    )
    return response


def come_back(request: HttpRequest) -> Returned:
    """Whoever the provider has sent back.

    Raises StateLost, Declined, ProviderAway and Untrusted.
    """
    issuer = configured.issuer()
    state = statekit.unstash_state(
        request, provider_id=issuer, state_id=request.GET.get("state", "")
    )
    if state is None:
        raise StateLost
    if request.GET.get("iss", issuer) != issuer:  # RFC 9207
        raise Untrusted("the answer comes from another issuer")
    if "error" in request.GET or "code" not in request.GET:
        raise Declined(request.GET.get("error", "")[:60])
    source = discovery.of(issuer)
    try:
        person = _exchange(request, source, state)
    except ProviderAway as error:
        source.note_failure(error)
        raise
    return Returned(person, state)


def _exchange(request: HttpRequest, source: discovery.Discovery, state: dict[str, Any]) -> Identity:
    metadata = source.metadata(WAIT_S)
    adapter = _Adapter(request, metadata)
    app = adapter.get_provider().app
    try:
        answer = adapter.get_access_token_data(
            request,
            app,
            adapter.get_client(request, app),
            pkce_code_verifier=state.get("pkce_code_verifier"),
        )
    except OAuth2Error as error:  # its text is the answer, which nobody needs to read
        raise Untrusted("the code was not taken") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Untrusted("the answer to the code cannot be read") from error
    claims = tokens.verify(
        answer.get("id_token"),
        provider=metadata,
        discovery=source,
        client_id=settings.STORYKEEP.oidc_client_id or "",
        nonce=str(state.get("nonce", "")),
    )
    return identity.from_claims(
        metadata.issuer, claims, _userinfo(metadata, claims, answer["access_token"])
    )


def _userinfo(metadata: Metadata, claims: dict[str, Any], token: object) -> dict[str, Any]:
    """What the ID token leaves out, from the userinfo endpoint; {} where nothing is missing."""
    env = settings.STORYKEEP
    wanted = {identity.NAME}
    if env.oidc_admin_group or env.oidc_member_group:
        wanted.add(identity.GROUPS)
    if wanted <= claims.keys() or metadata.userinfo_url is None:
        return {}
    more = wire.get_json(metadata.userinfo_url, Authorization=f"Bearer {token}")
    if more.get("sub") != claims["sub"]:
        raise Untrusted("userinfo is about somebody else")
    return more


class _Provider(OpenIDConnectProvider):  # type: ignore[misc]  # the library has no types
    """The provider of the settings; nothing of it is looked up in the database."""

    def __init__(self, request: HttpRequest, metadata: Metadata) -> None:
        env, secret = settings.STORYKEEP, settings.STORYKEEP.oidc_client_secret
        app = SocialApp(
            provider=self.id,
            provider_id=configured.issuer(),
            name=configured.name(),
            client_id=env.oidc_client_id,
            secret=secret.get_secret_value() if secret else "",
            settings={"server_url": configured.issuer(), "oauth_pkce_enabled": True},
        )
        super().__init__(request, app=app)
        self._metadata = metadata

    def get_oauth2_adapter(self, request: HttpRequest) -> _Adapter:
        """The adapter below, with what is known of the provider."""
        return _Adapter(request, self._metadata)


class _Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # the library has no types
    """Addresses from the checked description in place of one that is asked for each time."""

    def __init__(self, request: HttpRequest, metadata: Metadata) -> None:
        super().__init__(request, metadata.issuer)
        self._metadata = metadata

    @property
    def openid_config(self) -> dict[str, Any]:
        """The description, in the library's words."""
        return {
            "issuer": self._metadata.issuer,
            "authorization_endpoint": self._metadata.authorization_url,
            "token_endpoint": self._metadata.token_url,
            "token_endpoint_auth_methods_supported": sorted(self._metadata.auth_methods),
        }

    def get_provider(self) -> _Provider:
        """The provider above."""
        return _Provider(self.request, self._metadata)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The address by the settings, whatever the request says."""
        return redirect_address()
