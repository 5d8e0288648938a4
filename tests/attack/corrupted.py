"""`python -m tests.attack.corrupted`: damaged media files through the check of what was fetched.

    python -m tests.attack.corrupted --count 2600

Each file is one of the samples with one kind of damage, the same for the same number. Prints JSON:
how many ended how, what went wrong, and the memory taken at most.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import signal
import sys
import traceback
from collections import Counter
from typing import Any, Final

from stories.errors import MediaError
from stories.media.decoders import load_decoders
from stories.media.verify import examine
from stories.structures import MediaKind, Verified
from tests.attack.mutation import damaged
from tests.attack.samples import all_samples

FILE_S: Final = 20
"""Seconds that one file may take; a whole one takes a few hundredths."""
ADDRESS_SPACE: Final = 4 * 2**30
TYPES: Final = {
    MediaKind.PICTURE: {"image/jpeg", "image/png", "image/webp", "image/avif", "image/heic"},
    MediaKind.VIDEO: {"video/mp4", "audio/mp4"},
    MediaKind.SONG: {"audio/mpeg", "audio/mp4"},
}


class TookTooLong(Exception):
    """A file was not judged in time."""


def _alarm(*_: object) -> None:
    raise TookTooLong


def judge(kind: MediaKind, data: bytes) -> str:
    """How a file ended: "passed", or the code of what is wrong with it. Raises what is not ours."""
    try:
        found = examine(io.BytesIO(data), kind, announced_s=None, with_poster=True).verified
    except MediaError as error:
        return error.code
    assert_true(kind, found)
    return "passed"


def assert_true(kind: MediaKind, found: Verified) -> None:
    """What is said of a file that passed can be."""
    if found.content_type not in TYPES[kind]:
        raise AssertionError(f"{found.content_type} for a {kind}")
    if kind is not MediaKind.SONG and not (found.width and found.height):
        raise AssertionError(f"{found.width} x {found.height}")


def sample(number: int) -> tuple[str, str, MediaKind, bytes]:
    """(Sample, damage, kind, bytes) of a number."""
    samples = all_samples()
    name = list(samples)[number % len(samples)]
    kind, whole = samples[name]
    damage, data = damaged(whole, number)
    return name, damage, kind, data


def main() -> int:
    """Judge a range of damaged files; 1 when one of them broke something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=2600)
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.RLIM_INFINITY))
    load_decoders()
    all_samples()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended, broken = Counter[str](), list[dict[str, Any]]()
    signal.signal(signal.SIGALRM, _alarm)
    for number in range(given.first, given.first + given.count):
        name, damage, kind, data = sample(number)
        signal.alarm(FILE_S)
        try:
            ended[judge(kind, data)] += 1
        except Exception:  # noqa: BLE001 - whatever it is, it is told
            last = traceback.format_exc(limit=-3)
            broken.append({"number": number, "file": f"{name}, {damage}", "error": last})
        finally:
            signal.alarm(0)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    told = {"ended": dict(ended), "broken": broken, "taken_mib": taken // 1024}
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
