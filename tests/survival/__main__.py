"""`python -m tests.survival`: each kind of change under each way of asking, as a table.

Ends with 1 when anything is wrong: where "no stories", "gone" or the like is said and we were kept
out, or where a story is lost without a word.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from tests import real_gallery_dl
from tests.survival.changes import CHANGES
from tests.survival.table import measured
from tests.survival.ways import ALL, COLUMNS, GALLERY_DL, missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.survival", description=__doc__)
    parser.add_argument("--short", action="store_true", help="without the ways that are slow")
    parser.add_argument("--only", default="", help="changes whose name holds this")
    parser.add_argument("--way", action="append", choices=COLUMNS, help="these columns alone")
    parser.add_argument("--verbose", action="store_true", help="every code, and the time it took")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    asked = tuple(options.way or (COLUMNS[:1] if options.short else COLUMNS))
    if {GALLERY_DL, ALL} & set(asked):
        real_gallery_dl.install_once()
    lacks = {column: lack for column in asked if (lack := missing(column))}
    for column, lack in lacks.items():
        sys.stderr.write(f"left out: {column}, as {lack}\n")
    columns = [column for column in asked if column not in lacks]
    changes = [change for change in CHANGES if options.only in change.name]
    table = asyncio.run(measured(changes, columns))
    sys.stdout.write(table.markdown(verbose=options.verbose))
    return int(table.has_wrong or bool(lacks))


if __name__ == "__main__":
    sys.exit(main())
