"""The error tree: every class has its own code and words, and the public codes are all there."""

from __future__ import annotations

import pytest

from stories import errors
from stories.errors import StoriesError

# The public table. Renaming one breaks scripts that read the API.
RETRYABLE = {
    "not_understood": False,
    "unsupported_link": False,
    "not_a_story": False,
    "dead_short_link": False,
    "advert": False,
    "no_such_account": False,
    "private_account": False,
    "private_post": False,
    "login_required": False,
    "age_restricted": False,
    "region_locked": False,
    "gone": False,
    "unavailable": True,
    "challenged": True,
    "refused": True,
    "rate_limited": True,
    "upstream_down": True,
    "timed_out": True,
    "unknown_answer": True,
    "list_held_back": True,
    "list_gated": True,
    "clock_wrong": True,
    "upstream_changed": False,
    "media_unavailable": True,
    "media_corrupt": True,
    "sound_missing": True,
    "too_large": False,
    "unplayable": False,
}


def tree(root: type[StoriesError]) -> list[type[StoriesError]]:
    """Every class of `stories.errors` under `root`; other rooms grow their own branches."""
    below = [leaf for child in root.__subclasses__() for leaf in tree(child)]
    return [root, *below] if root.__module__ == errors.__name__ else below


BRANCHES = [kind for kind in tree(StoriesError) if not hasattr(kind, "code")]
LEAVES = [kind for kind in tree(StoriesError) if "code" in vars(kind)]


def test_codes_are_the_public_ones() -> None:
    assert {kind.code: kind.retryable for kind in LEAVES} == RETRYABLE


def test_nothing_is_said_twice() -> None:
    assert len({kind.code for kind in LEAVES}) == len(LEAVES)
    assert len({kind.message for kind in LEAVES}) == len(LEAVES)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.code)
def test_says_what_happened_and_what_to_try(kind: type[StoriesError]) -> None:
    assert kind.message.endswith(".")
    assert kind.hint.endswith(".")
    finer = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    assert not [one for one in finer if "code" in vars(one) or "message" in vars(one)]


@pytest.mark.parametrize("kind", BRANCHES, ids=lambda kind: kind.__name__)
def test_branches_only_group(kind: type[StoriesError]) -> None:
    assert not hasattr(kind, "code")
    assert kind.__subclasses__()


def test_detail_is_for_logs_and_message_for_people() -> None:
    error = errors.RateLimited("429", retry_after_s=60)
    assert (str(error), error.detail, error.retry_after_s) == ("429", "429", 60)
    assert str(errors.RateLimited()) == errors.RateLimited.message


def test_an_unknown_host_is_named_in_the_detail_and_makes_no_code_of_its_own() -> None:
    error = errors.UnknownMediaHost(hosts=("cdn.example", "b.example"))
    assert error.detail == "unknown media host: cdn.example, b.example"
    assert (error.code, error.hosts) == ("upstream_changed", ("cdn.example", "b.example"))


def test_docstring_draws_every_class() -> None:
    for kind in tree(StoriesError):
        assert kind.__name__ in (errors.__doc__ or "")


def test_a_code_that_stays_unknown_is_in_the_end_a_change_of_theirs() -> None:
    unknown = errors.UnknownAnswer("unknown code 77: odd")
    final = unknown.when_final()
    assert (type(final), final.detail) == (errors.UpstreamChanged, "unknown code 77: odd")
    down = errors.UpstreamDown("503")
    assert down.when_final() is down
