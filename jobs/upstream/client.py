"""The StoryClient of this instance: its limits and routes, from the settings, and what it shares.

One place for all who ask TikTok: workers, and a diagnosis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from jobs.upstream.browser_budget import BrowserBudget
from jobs.upstream.other_ways import OtherWays
from jobs.upstream.page_identity import PageIdentity
from jobs.upstream.site_clock import reporting_clock
from jobs.upstream.ways import Ways
from stories.config import ClientConfig

if TYPE_CHECKING:
    from stories.client import Identities, StoryClient
    from stories.http.session import OnBody, RateLimit


def client_config() -> ClientConfig:
    """The client's limits, in bytes, and routes.

    `STORYKEEP_FILE_MAX` limits every file; pictures and songs keep the client's own limits where
    those are lower.
    """
    env, defaults = settings.STORYKEEP, ClientConfig()
    return ClientConfig(
        proxy=env.proxy.get_secret_value() if env.proxy else None,
        ca_bundle=str(env.ca_bundle) if env.ca_bundle else None,
        page_transport=env.page_transport,
        transfers=env.fetch_concurrency,
        max_video_bytes=env.file_max,
        max_picture_bytes=min(env.file_max, defaults.max_picture_bytes),
        max_song_bytes=min(env.file_max, defaults.max_song_bytes),
    )


def instance_client(
    rate_limit: RateLimit,
    identities: Identities | None = None,
    *,
    recorder: OnBody | None = None,
) -> StoryClient:
    """A client, to be opened, that shares with all workers what they know of TikTok.

    identities: None to look every name up. recorder: called with every page and list.
    """
    from stories.client import StoryClient  # the web process does without

    config = client_config()
    others = OtherWays(config, take=BrowserBudget().take)
    return StoryClient(
        config,
        rate_limit=rate_limit,
        identities=identities,
        identity_memory=PageIdentity(),
        way_memory=Ways(),
        browser=others.browser,
        helper=others.helper,
        guard=others,
        clock=reporting_clock(),
        recorder=recorder,
    )
