"""Times that Django formats by itself, in English: never the American way."""

from __future__ import annotations

from datetime import datetime

from django.utils import formats, translation


def test_a_time_is_the_sites() -> None:
    with translation.override("en"):
        assert formats.localize(datetime(2026, 11, 28, 4, 19)) == "28 Nov 2026, 04:19"  # noqa: DTZ001  # formats know no zones
        assert formats.date_format(datetime(2026, 11, 28, 4, 19), "SHORT_DATE_FORMAT") == (  # noqa: DTZ001
            "28 Nov 2026"
        )
    with translation.override("de"):
        assert formats.localize(datetime(2026, 11, 28, 4, 19)) == "28. November 2026 04:19"  # noqa: DTZ001
