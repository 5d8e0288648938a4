"""What the fuzzer runs for minutes, for a moment: seeds, damaged seeds and any bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attack.fuzz import NAMES
from tests.attack.fuzzers import Target, files, text, wire
from tests.attack.mutation import KINDS, damaged

TARGETS = [*text.TARGETS, *wire.TARGETS, *files.TARGETS]
SLOW = {"answers", "picture", "video", "song"}
LIGHT = [target for target in TARGETS if target.name not in SLOW]


def test_every_target_is_run() -> None:
    assert tuple(target.name for target in TARGETS) == NAMES


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_and_damaged_seeds(target: Target) -> None:
    for data in target.seeds():
        target.run(data)
        for seed in range(2 if target.name in SLOW else 14):
            target.run(damaged(data, seed)[1][: target.most_bytes])


@pytest.mark.parametrize("target", LIGHT, ids=lambda target: target.name)
def test_any_bytes(target: Target) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200), st.sampled_from(target.seeds()), st.integers(0, 400))
    def run(data: bytes, seed: bytes, at: int) -> None:
        target.run(data)
        target.run(seed[:at] + data + seed[at:])

    run()


def test_damage_is_the_same_for_the_same_seed() -> None:
    whole = bytes(range(256)) * 8
    assert {damaged(whole, seed)[0] for seed in range(7)} == {kind.__name__ for kind in KINDS}
    assert [damaged(whole, seed) for seed in range(50)] == [damaged(whole, n) for n in range(50)]
