"""The one Save button of a job: what it would hand out, and in which state that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.files.bundles import Amount, alone
from jobs.pages.addresses import file_address
from jobs.pages.packed import shared, shared_twice
from jobs.pages.presenter import JobPage
from jobs.queries.job_view import FileView


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveOffer:
    """What Save does.

    kind: `file`, a file is there, to be taken at `address`; `packing`, its ZIP is being packed;
    `pack`, it has to be packed first.

    amount: how much that is, as the job's head and its card in the history say it. single: a
    picture or video that is alone, never wrapped in a ZIP; a JPEG made from it does not change
    that, a sound asked for does. share_bytes: of what a phone is handed instead; 0 for nothing.
    percent: how much of a ZIP is packed, 0 to 99; None unless that is known.
    """

    kind: Literal["file", "packing", "pack"]
    amount: Amount
    share_bytes: int
    address: str
    single: FileView | None
    percent: int | None


def offer_of(page: JobPage) -> SaveOffer | None:
    """The button of a job's page; None while lines are at work, and where nothing is here.

    The head says what is here meanwhile, and each line has a button of its own.
    """
    job = page.job
    if not page.files or not page.idle:
        return None
    single = alone(page.files)
    ready = single or job.bundle
    return SaveOffer(
        kind="file" if ready else "packing" if job.packing else "pack",
        amount=page.amount,
        share_bytes=sum(file.size_bytes for file in shared(job.stories)),
        address=file_address(ready) if ready else "",
        single=single,
        percent=job.packed_percent if job.packing and not ready else None,
    )


def copies_of(page: JobPage) -> dict[str, str]:
    """Addresses of files that a phone is not handed beside another one -> that one's address."""
    if page.stories_known == len(page.job.stories):
        return {}  # no story came twice
    twice = shared_twice(page.job.stories)
    return {file_address(file): file_address(first) for file, first in twice}
