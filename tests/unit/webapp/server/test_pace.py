"""How fast an answer is taken that a thread waits for."""

from __future__ import annotations

from jobs.files import serving
from webapp.server.pace import ENVIRON_KEY, SPAN_S, TRIAL_S, Pace


def test_a_rate_is_known_after_a_while_and_while_the_other_end_is_waited_for() -> None:
    pace = Pace()
    rates = [pace.rate]
    pace.note(100, 5000)
    pace.note(100 + TRIAL_S - 1, 5000)
    rates.append(pace.rate)
    pace.note(100 + TRIAL_S, 5000 + int(TRIAL_S) * 300)
    rates.append(pace.rate)
    pace.is_waited_for = False
    rates.append(pace.rate)
    assert rates == [None, None, 300, None]


def test_who_was_fast_once_is_not_so_for_ever() -> None:
    pace = Pace()
    pace.note(1, 10)
    pace.note(2, 1_000_000_000)
    for second in range(3, 3 + 2 * int(SPAN_S)):
        pace.note(second, 1_000_000_000)
    assert pace.rate == 0


def test_the_site_looks_for_it_where_the_server_puts_it() -> None:
    assert serving.PACE == ENVIRON_KEY
