"""The StoryClient's configuration on this instance: limits and routes, from the settings."""

from __future__ import annotations

from django.conf import settings

from stories.config import ClientConfig


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
