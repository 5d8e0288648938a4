"""A pasted line and its verdict: what it asks for, or why it is refused. Asks no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from jobs.models import LINE_LENGTH, Item, ItemKind
from jobs.text import clean_text
from stories.errors import InputError, NotUnderstood
from stories.structures import Story, Target, TargetKind
from stories.targets import find_lines, parse_line

_KINDS: Final = {
    TargetKind.USER: ItemKind.USER,
    TargetKind.STORY: ItemKind.STORY,
    TargetKind.POST: ItemKind.POST,
    TargetKind.SHORT: ItemKind.STORY,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One pasted line and its verdict.

    text: as it may be stored. target: what the line asks for, None when it is refused; then error
    says why.
    """

    text: str
    target: Target | None
    error: InputError | None

    @property
    def kind(self) -> ItemKind:
        """The kind of target the text alone suggests, before TikTok was asked."""
        if self.target:
            return _KINDS[self.target.kind]
        return ItemKind.USER if isinstance(self.error, NotUnderstood) else ItemKind.POST


def read_lines(lines: Sequence[str]) -> list[Line]:
    """A verdict for each pasted line; blank lines and repetitions are left out.

    An entry that names several targets, "@a, @b", becomes as many lines. Of lines with an equal
    `Target.key` the first is kept.
    """
    by_key: dict[str, Line] = {}
    for entry in _single_entries(lines):
        text = clean_text(entry, LINE_LENGTH)
        if not text:
            continue
        try:
            target = parse_line(entry)
        except InputError as error:
            by_key.setdefault(f"refused:{text}", Line(text, None, error))
        else:
            by_key.setdefault(target.key, Line(text, target, None))
    return list(by_key.values())


def _single_entries(entries: Sequence[str]) -> Iterator[str]:
    """One entry per target; an entry with at most one target stays as typed."""
    for entry in entries:
        parts = find_lines(entry)
        yield from parts if len(parts) > 1 else [entry]


def resolved_kind(kind: str, stories: Sequence[Story]) -> ItemKind:
    """The kind of a line once its stories are listed: a link that looked like a post may lead to a
    story, and a short link to anything.

    kind: the one taken from the text. stories: as listed; an empty list changes nothing.
    """
    if kind == ItemKind.USER or not stories:
        return ItemKind(kind)
    if len(stories) > 1:
        return ItemKind.USER
    return ItemKind.STORY if stories[0].is_story else ItemKind.POST


def target_fields(target: Target) -> dict[str, str]:
    """A target as JSON for `Item.target`; fields that are None are left out."""
    return {name: str(value) for name, value in asdict(target).items() if value is not None}


def target_of(item: Item) -> Target:
    """The target stored in an item's row. Raises NotUnderstood for a refused line."""
    if not item.target:
        raise NotUnderstood(item.error_detail)
    fields: dict[str, Any] = dict(item.target)
    return Target(kind=TargetKind(fields.pop("kind")), **fields)
