"""The one Save button of a job: what it would hand out, and in which state that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.pages.addresses import file_address
from jobs.pages.packed import packed
from jobs.pages.presenter import JobPage
from jobs.queries.job_view import FileView


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveOffer:
    """What Save does.

    kind: `file`, a file is there, to be taken at `address`; `packing`, its ZIP is being packed;
    `pack`, it has to be packed first; `later`, lines are at work still.

    files, size_bytes: what would be saved; so far, for `later`. single: a file that is alone, never
    wrapped in a ZIP.
    """

    kind: Literal["file", "packing", "pack", "later"]
    files: int
    size_bytes: int
    address: str
    single: FileView | None


def offer_of(page: JobPage) -> SaveOffer | None:
    """The button of a job's page; None where nothing is here and nothing will come."""
    job = page.job
    files = packed(job.stories)
    if not files and page.idle:
        return None
    single = files[0] if len(files) == 1 else None
    ready = single or job.bundle
    kind: Literal["file", "packing", "pack", "later"] = "later"
    if page.idle:
        kind = "file" if ready else "packing" if job.packing else "pack"
    known = ready if ready and kind == "file" else None
    return SaveOffer(
        kind=kind,
        files=len(files),
        size_bytes=known.size_bytes if known else sum(file.size_bytes for file in files),
        address=file_address(known) if known else "",
        single=single,
    )
