"""Settings of the object store: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.env import BadSettings, load

KEYS = {"ARTIFACT_STORE_KEY_ID": "id", "ARTIFACT_STORE_SECRET_KEY": "hush"}


def mistakes(setting: pytest.MonkeyPatch, **values: str) -> list[str]:
    """What `load` has to say about these values."""
    for name, value in values.items():
        setting.setenv(f"STORYKEEP_{name}", value)
    with pytest.raises(BadSettings) as caught:
        load()
    return str(caught.value).splitlines()


def test_without_a_store_files_are_in_the_folder(setting: pytest.MonkeyPatch) -> None:
    assert load().artifact_store is None
    assert not load().artifact_redirect


@pytest.mark.parametrize("address", ["s3://bucket", "s3://bucket/", "s3://my.bucket-1/a/b_c.d"])
def test_an_address_of_a_bucket(setting: pytest.MonkeyPatch, address: str) -> None:
    for name, value in {"ARTIFACT_STORE": address, **KEYS}.items():
        setting.setenv(f"STORYKEEP_{name}", value)
    assert load().artifact_store == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    ["bucket", "https://bucket/x", "s3://", "s3://B/x", "s3://ab", "s3://bucket//x",
     "s3://bucket/a/../b", "s3://bucket/a b", "s3://key:secret@bucket/x", "s3://bucket/x?y"],
)  # fmt: skip
def test_what_is_no_address_of_a_bucket(setting: pytest.MonkeyPatch, address: str) -> None:
    (line,) = mistakes(setting, ARTIFACT_STORE=address, **KEYS)
    assert line.startswith("STORYKEEP_ARTIFACT_STORE: ")
    assert "key:secret" not in line


@pytest.mark.parametrize(
    "endpoint",
    ["s3.example.org", "ftp://host", "https://", "https://user@host", "https://host/path",
     "https://host?x", "http://host:port"],
)  # fmt: skip
def test_what_is_no_endpoint(setting: pytest.MonkeyPatch, endpoint: str) -> None:
    (line,) = mistakes(
        setting, ARTIFACT_STORE="s3://bucket", ARTIFACT_STORE_ENDPOINT=endpoint, **KEYS
    )
    assert line.startswith("STORYKEEP_ARTIFACT_STORE_ENDPOINT: ")


def test_a_store_needs_its_keys_and_they_need_a_store(setting: pytest.MonkeyPatch) -> None:
    assert mistakes(setting, ARTIFACT_STORE="s3://bucket") == [
        "STORYKEEP_ARTIFACT_STORE: needs STORYKEEP_ARTIFACT_STORE_KEY_ID",
        "STORYKEEP_ARTIFACT_STORE: needs STORYKEEP_ARTIFACT_STORE_SECRET_KEY",
    ]
    setting.delenv("STORYKEEP_ARTIFACT_STORE")
    assert mistakes(setting, ARTIFACT_REDIRECT="true", **KEYS) == [
        "STORYKEEP_ARTIFACT_STORE_KEY_ID: needs STORYKEEP_ARTIFACT_STORE",
        "STORYKEEP_ARTIFACT_STORE_SECRET_KEY: needs STORYKEEP_ARTIFACT_STORE",
        "STORYKEEP_ARTIFACT_REDIRECT: needs STORYKEEP_ARTIFACT_STORE",
    ]


def test_keys_may_come_from_files(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting.setenv("STORYKEEP_ARTIFACT_STORE", "s3://bucket")
    for name, value in KEYS.items():
        (tmp_path / name).write_text(f"{value}\n")
        setting.setenv(f"STORYKEEP_{name}_FILE", str(tmp_path / name))
    found = load()
    assert found.artifact_store_key_id is not None
    assert found.artifact_store_key_id.get_secret_value() == "id"
    assert found.artifact_store_secret_key is not None
    assert found.artifact_store_secret_key.get_secret_value() == "hush"
    assert "hush" not in repr(found)
