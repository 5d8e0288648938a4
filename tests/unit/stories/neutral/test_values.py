"""JSON in a sample keeps keys, types and what we read; nothing else of it is left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stories.neutral.substitutes import Substitutes
from stories.neutral.values import MAX_DEPTH, MAX_VALUES, NeutralJson
from stories.wire.media import MAX_RENDITIONS

BEGAN = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)


def neutral(value: Any) -> Any:
    made = NeutralJson(Substitutes(BEGAN))
    made.learn_names(value)
    return made.value(value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"statusCode": 10204, "status_code": "10204"}, None),
        ({"code": 1.5, "customErrorCode": "+5.0"}, None),
        ({"secret": False, "private": True, "x": None, "isAd": 1, "takeDown": "true"}, None),
        ({"HasMoreAfter": " 1 ", "HasMoreBefore": "FALSE"}, None),
        ({"TotalCount": "17", "MaxCursor": 31865, "cursor": "12"}, None),
        ({"width": 1080, "Height": "1920", "duration": 15.03, "DataSize": "5076682"}, None),
        ({"Format": "dash", "CodecType": "h265_hvc1", "GearName": "normal_540_0"}, None),
        ({"desc": "", "title": " \n", "list": [], "object": {}}, None),
        ({"Format": "two words"}, {"Format": "(up to 32 characters)"}),
        ({"UrlKey": "v0904abc_bytevc1_1080p_872460"}, {"UrlKey": "t1_bytevc1_1080p_872460"}),
        ({"UrlKey": "v0904abc"}, {"UrlKey": "t1"}),
        ({"nickname": "Alice", "signature": "x" * 80}, {
            "nickname": "(up to 8 characters)", "signature": "(up to 128 characters)"}),
        ({"uniqueId": "alice", "playlistId": "Alice", "page": ["alice"]}, {
            "uniqueId": "user1", "playlistId": "user1", "page": ["user1"]}),
        ({"uniqueId": "no name!"}, {"uniqueId": "(up to 8 characters)"}),
        ({"followerCount": 1234567, "heart": "98", "x": -55}, {
            "followerCount": 2222222, "heart": "22", "x": -22}),
        ({"id": 12345678, "roomId": "12345678", "FileId": "c0ffee", "userId": ""}, {
            "id": 10000001, "roomId": "10000001", "FileId": "t1", "userId": ""}),
        ({"f": 3.75, "g": 4.0}, {"f": 2.5, "g": 2.0}),
        ({"VideoExtra": '{"audio_file_id":"abc","x":"Alice"}'}, {
            "VideoExtra": '{"audio_file_id":"t1","x":"(up to 8 characters)"}'}),
        ({"bioLink": {"link": "https://alice.example/"}}, {
            "bioLink": {"link": "(up to 32 characters)"}}),
        ({"playAddr": "https://cdn.example/alice"}, {"playAddr": "https://cdn.example/t1"}),
        ({"users": {"alice": {"uniqueId": "alice"}, "4915112345678": 1, "Al ice": 2}}, {
            "users": {"user1": {"uniqueId": "user1"}, "1000000000001": 1, "t1": 2}}),
        ({"stats": {"uniqueId": "stats"}, "music": {"title": "music"}}, {
            "user1": {"uniqueId": "user1"}, "music": {"title": "(up to 8 characters)"}}),
        ({"desc": {"uniqueId": "music"}, "music": {"id": "1"}}, {
            "desc": {"uniqueId": "user1"}, "music": {"id": "1"}}),
    ],
)  # fmt: skip
def test_values(before: Any, after: Any) -> None:
    assert neutral(before) == (before if after is None else after)


def test_long_lists_that_nobody_reads_are_cut_to_what_differs() -> None:
    alike = [{"a": "Alice", "b": number} for number in range(100)]
    made = neutral({"tags": [*alike, {"c": 1}, "x"], "itemList": alike, "UrlList": ["x"] * 40})
    assert len(made["tags"]) == 3
    assert len(made["itemList"]) == 100
    assert len(made["UrlList"]) == 40


def test_what_is_deep_or_huge_is_bounded() -> None:
    deep: Any = {"x": 1}
    for _ in range(900):
        deep = {"x": [deep]}
    assert len(json.dumps(neutral(deep))) < 10 * MAX_DEPTH
    many = {"itemList": [{"id": number} for number in range(MAX_VALUES)]}
    assert len(neutral(many)["itemList"]) < MAX_VALUES
    wide = neutral({f"k{number}": 1 for number in range(100_000)})
    assert len(wide) < 1000
    nested: Any = "x"
    for _ in range(12):
        nested = json.dumps([nested])
    assert isinstance(neutral({"VideoExtra": nested})["VideoExtra"], str)


def test_all_renditions_fit() -> None:
    gears = {"bitrateInfo": [{"Bitrate": number} for number in range(MAX_RENDITIONS + 10)]}
    assert neutral(gears) == gears


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)
    ),
    lambda inner: (
        st.lists(inner, max_size=15)
        | st.dictionaries(
            st.sampled_from(["id", "desc", "uniqueId", "statusMsg", "UrlList", "x y"]), inner
        )
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(JSON)
def test_any_json_keeps_its_types_and_comes_out_the_same_twice(value: Any) -> None:
    made = neutral(value)
    assert type(made) is type(value)
    assert json.dumps(made) == json.dumps(neutral(value))
    if isinstance(value, dict):
        assert {key: type(inner) for key, inner in made.items() if key in value} == {
            key: type(inner) for key, inner in value.items() if key != "x y"
        }
