"""The ways beside our own requests: a browser by setting, a helper once it is installed.

Both reach the network through one guard, which listens from their first use on. What is off is not
even imported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from django.conf import settings

from stories.config import ClientConfig
from stories.helper.installed import current_version
from stories.identity import identity_ladder

if TYPE_CHECKING:
    from stories.browser.browser import Browser
    from stories.helper.gallery_dl import GalleryDl
    from stories.http.guard import Guard

OFF: Final = "off"


class OtherWays:
    """The browser and the helper of one client. take: asked once for each look-up by the browser;
    None to count those of this process by itself."""

    def __init__(
        self, config: ClientConfig, *, take: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        self._config, self._take = config, take
        self._guard: Guard | None = None
        self._helper: GalleryDl | None = None
        self.browser = self._open_browser()

    def _open_browser(self) -> Browser | None:
        env = settings.STORYKEEP
        address = env.browser.get_secret_value()
        if address == OFF:
            return None
        from stories.browser.browser import Browser

        return Browser(
            address,
            guard=self._one_guard(),
            take=self._take,
            config=self._config,
            per_hour=env.browser_per_hour,
        )

    def helper(self) -> GalleryDl | None:
        """gallery-dl; None while it is not installed, which is looked up each time."""
        folder = settings.STORYKEEP.helpers_dir
        if current_version(folder) is None:
            return None
        # Of the protocol pack in use, which may be another one by now.
        user_agent = identity_ladder(self._config.page_transport)[0].user_agent
        if self._helper is None:
            from stories.helper.gallery_dl import GalleryDl, installed_command

            self._helper = GalleryDl(
                installed_command(folder),
                guard=self._one_guard(),
                user_agent=user_agent,
                ca_file=self._config.ca_bundle,
                folder=settings.STORYKEEP.run_dir / "helpers",
            )
        self._helper.user_agent = user_agent
        return self._helper

    def _one_guard(self) -> Guard:
        if self._guard is None:
            from stories.http.guard import Guard
            from stories.http.resolver import system_resolve

            self._guard = Guard(self._config, system_resolve)
        return self._guard

    async def aclose(self) -> None:
        """End the guard, if there is one."""
        if self._guard is not None:
            await self._guard.aclose()
