"""What is known of one item's author and first list before its row and its stories' rows say so.

Mostly its files come a moment later, and one transaction writes it all. Where they take their time,
the list is written without them, and before it the author.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.fetching.story_rows import author_fields, first_list, write_first_list
from jobs.models import Item, Story
from jobs.queue import claims
from jobs.queue.claims import Claim
from jobs.text import clean_text
from stories import structures
from stories.events import Listed


class PendingList:
    """The author and the first list of a claimed item, until they are written.

    stories: the unwritten rows, none where no list waits. waits: a list does, be it empty.
    """

    def __init__(self, claim: Claim, item: Item) -> None:
        self._claim, self._item = claim, item
        self._author_is_new = False
        self.stories: Sequence[Story] = ()
        self.waits = False

    def name_author(self, author: structures.Author) -> None:
        """Note who the author is."""
        before = author_fields(self._item)
        self._item.author_id, self._item.author_name = author.id[:32], author.name[:64]
        self._item.author_nickname = clean_text(author.nickname, 200)
        self._author_is_new |= before != author_fields(self._item)

    def write_author(self) -> None:
        """Write who the author is, unless a list that waits says so as well. Raises ClaimLost."""
        if self._author_is_new and not self.waits:
            claims.write(self._claim, **author_fields(self._item))
            self._author_is_new = False

    def begin(self, event: Listed) -> dict[str, Story]:
        """Note the first list of the item; its rows by TikTok's id."""
        rows = first_list(self._item, event)
        self.stories, self.waits = [*rows.values()], True
        return rows

    def write(self) -> None:
        """Write a list that waits, with its author; to be called in a transaction.

        It waits until `note_written`, for the transaction may come to nothing. Raises ClaimLost.
        """
        if self.waits:
            write_first_list(self._claim, self._item, self.stories)

    def note_written(self) -> None:
        """Author and list are in the database: the transaction was committed."""
        if self.waits:
            self.stories, self.waits, self._author_is_new = (), False, False
