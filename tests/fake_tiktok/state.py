"""What one fake site is: its clock, its accounts, stories and files, and how strict it is."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Literal

from tests.fake_tiktok.accounts import HOURS, Account, FakeStory, avatar_key, avatar_of
from tests.fake_tiktok.cdn import MediaObject


class State:
    """The data of a fake site, all of it in memory, and the settings tests change.

    accounts: by name in lower case. stories: by id, posts included. objects: files by key. short:
    short links, (host, code) -> URL. page_bytes: size of a page. most_per_page: items in one answer
    of the list. media_life_s, song_life_s: how long an address is good for. needs_referer,
    needs_token, same_agent: what video hosts insist on. cursor_as: the type cursors are sent in.
    embed_slash: an embed page keeps its data under its route with a slash at the end. signed_list:
    what a list says to a request that no page's own script signed: "hollow" (code 0 and nothing
    else), "zero" (zero bytes), or what is asked (None); pages have that script where it matters.
    page_asks: the pages of accounts ask for their story list by themselves. list_path: of the list.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.time, page_bytes: int = 390_000, seed: int = 1
    ) -> None:
        self._clock = now
        self._moved_s = 0.0
        self.lock = threading.RLock()
        self.rng = random.Random(seed)
        self.serial = 0
        self.accounts: dict[str, Account] = {}
        self.stories: dict[str, FakeStory] = {}
        self.objects: dict[str, MediaObject] = {}
        self.short: dict[tuple[str, str], str] = {}
        self.page_bytes = page_bytes
        self.most_per_page = 50
        self.media_life_s = 48 * HOURS
        self.song_life_s = 6 * HOURS
        self.needs_referer = True
        self.needs_token = True
        self.same_agent = True
        self.cursor_as: type[int] | type[str] = int
        self.embed_slash = False
        self.signed_list: Literal["hollow", "zero"] | None = None
        self.page_asks = False
        self.list_path = "/api/story/item_list/"

    def now(self) -> float:
        """The site's clock, Unix seconds."""
        return self._clock() + self._moved_s

    def advance(self, seconds: float) -> None:
        """Move the site's clock: addresses and stories run out, nothing waits."""
        self._moved_s += seconds

    def next_serial(self) -> int:
        """A number that is given once."""
        with self.lock:
            self.serial += 1
            return self.serial

    def new_id(self, created: float) -> str:
        """A snowflake: its high 32 bits are the second of creation."""
        low = (self.next_serial() * 0x9E3779B1 + 0x6A09E667) & 0xFFFFFFFF
        return str((int(created) << 32) | low)

    def find_account(self, name_or_id: str) -> Account | None:
        """The account of a name, an id or a secUid."""
        by_name = self.accounts.get(name_or_id.lower())
        if by_name is not None:
            return by_name
        accounts = self.accounts.values()
        return next((a for a in accounts if name_or_id in {a.id, a.sec_uid}), None)

    def find_file(self, key: str) -> MediaObject | None:
        """The file of a key: a story's, or an account's picture."""
        file = self.objects.get(key)
        if file is not None:
            return file
        accounts = self.accounts.values()
        account = next((account for account in accounts if avatar_key(account) == key), None)
        return avatar_of(account) if account else None

    def author_of(self, item_id: str) -> str | None:
        """The name of the account that posted a story or a post."""
        story = self.stories.get(item_id)
        return story.account.name if story else None

    def is_over(self, story: FakeStory) -> bool:
        """Whether a story's day is over; a post's never is."""
        return story.is_story and story.expires <= self.now()
