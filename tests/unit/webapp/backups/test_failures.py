"""Each refusal has words and a name."""

from __future__ import annotations

import pytest

from webapp.backups import failures
from webapp.backups.failures import BackupFailed, RestoreRefused


@pytest.mark.parametrize(
    ("refusal", "reason", "words"),
    [
        (failures.foreign(), "foreign", "not a Storykeep backup"),
        (failures.damaged("keys.bin"), "damaged", "keys.bin was changed"),
        (failures.truncated(), "truncated", "cut short"),
        (failures.older_form(), "older_form", "RESTORE.txt"),
        (failures.newer("9.1"), "newer", "made by Storykeep 9.1"),
        (failures.wrong_passphrase(), "passphrase", "passphrase is wrong"),
    ],
)
def test_a_refusal_says_why(refusal: RestoreRefused, reason: str, words: str) -> None:
    assert refusal.reason == reason
    assert words in str(refusal)


def test_a_failure_says_why() -> None:
    failed = BackupFailed("busy", "later")
    assert (failed.reason, str(failed)) == ("busy", "later")
