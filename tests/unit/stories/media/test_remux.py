"""Joining and renaming: coded bytes stay as they are, and what does not fit is refused."""

from __future__ import annotations

import io
import tracemalloc
from tempfile import TemporaryFile

import av
import pytest

from stories.errors import MediaCorrupt, StoriesError
from stories.media import remux
from stories.media.verify import verify
from stories.structures import MediaKind, Verified
from tests.fake_tiktok import media
from tests.fake_tiktok.iso_boxes import box
from tests.fake_tiktok.odd_media import odd_video, renamed_entry

SIZE = (144, 256)


def joined(video: bytes, sound: bytes) -> tuple[bytes, Verified]:
    out = io.BytesIO(b"what was here before, and longer than nothing" * 10_000)
    seen = verify(io.BytesIO(video), MediaKind.VIDEO)
    made = remux.join(io.BytesIO(video), io.BytesIO(sound), out, seen=seen)
    return out.getvalue(), made


def top_boxes(data: bytes) -> list[bytes]:
    kinds, at = [], 0
    while at + 8 <= len(data):
        kinds.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4])
    return kinds


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_joined_file_is_whole_and_plays_from_its_start(codec: media.Codec) -> None:
    data, made = joined(media.video(2, SIZE, codec, audio=False), media.song("m4a", 2))
    assert (made.has_audio, made.codec, made.width) == (True, codec, 144)
    assert made.duration_s == pytest.approx(2, abs=0.1)
    kinds = top_boxes(data)
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert set(kinds) <= {b"ftyp", b"moov", b"free", b"mdat"}
    assert verify(io.BytesIO(data), MediaKind.VIDEO, announced_s=2) == made


def test_a_turned_picture_stays_turned() -> None:
    turned = media.rotated(media.video(1, SIZE, audio=False), 90)
    _, made = joined(turned, media.song("m4a", 1))
    assert (made.width, made.height) == (256, 144)


def test_a_cut_sound_is_refused() -> None:
    song = media.song("m4a", 2)
    with pytest.raises(StoriesError):
        joined(media.video(2, SIZE, audio=False), song[: len(song) // 2])


def test_a_sound_that_ends_long_before_the_picture_is_refused() -> None:
    with pytest.raises(MediaCorrupt, match="sound ends after"):
        joined(media.video(5, SIZE, audio=False), media.song("m4a", 2))


@pytest.mark.parametrize("sound", [b"", b"<html>", b"\0" * 5000, media.picture("jpeg", (50, 50))])
def test_a_sound_that_is_none_is_refused(sound: bytes) -> None:
    with pytest.raises(StoriesError):
        joined(media.video(1, SIZE, audio=False), sound)


def test_a_long_clip_has_room_for_its_index() -> None:
    data, made = joined(media.video(90, (64, 64), audio=False), media.song("m4a", 90))
    assert made.duration_s == pytest.approx(90, abs=0.2)
    assert top_boxes(data)[1] == b"moov"


def test_files_in_fragments_as_players_of_streams_get_them() -> None:
    data, made = joined(
        fragmented(media.video(90, (64, 64), audio=False), "video"),
        fragmented(media.song("m4a", 90), "audio"),
    )
    assert made.duration_s == pytest.approx(90, abs=0.2)
    assert top_boxes(data)[1] == b"moov"
    at = data.index(b"free", data.index(b"moov")) - 4
    assert int.from_bytes(data[at : at + 4]) < 4096, "no more room for the index than it needs"


def fragmented(data: bytes, kind: str) -> bytes:
    """The first stream of a kind in fragments: an index for each, none for the whole."""
    out = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with (
        av.open(io.BytesIO(data), "r") as source,
        av.open(out, "w", format="mp4", options=options) as target,
    ):
        stream = getattr(source.streams, kind)[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    return out.getvalue()


def test_memory_stays_flat_while_joining() -> None:
    video = media.video(4, SIZE, audio=False, min_bytes=12_000_000)
    seen = verify(io.BytesIO(video), MediaKind.VIDEO)
    with TemporaryFile() as first, TemporaryFile() as second, TemporaryFile() as out:
        first.write(video)
        second.write(media.song("m4a", 4))
        tracemalloc.start()
        remux.join(first, second, out, seen=seen)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4_000_000


# --- renaming -------------------------------------------------------------------------------------

HEV1 = renamed_entry(odd_video("libx265", sample_entry="hvc1"), "hvc1", "hev1")
AVC3 = renamed_entry(odd_video("libx264", sample_entry="avc1"), "avc1", "avc3")


@pytest.mark.parametrize(("clip", "entry"), [(HEV1, "hvc1"), (AVC3, "avc1")])
def test_a_mislabelled_entry_is_renamed_in_place(clip: bytes, entry: str) -> None:
    file = io.BytesIO(clip)
    seen = verify(file, MediaKind.VIDEO)
    corrected = remux.correct_entry(file, seen)
    assert (corrected.sample_entry, corrected.mislabelled) == (entry, False)
    assert len(file.getvalue()) == len(clip)
    assert verify(file, MediaKind.VIDEO) == corrected


def test_the_letters_elsewhere_in_the_file_are_left_alone() -> None:
    words = box(b"free", b"a hev1 file was called hev1 by its author")
    file = io.BytesIO(HEV1 + words)
    remux.correct_entry(file, verify(file, MediaKind.VIDEO))
    assert file.getvalue().endswith(words)


def test_parameter_sets_between_the_pictures_keep_the_name() -> None:
    """An encoder that changes them on the way needs `hev1`."""
    clip = odd_video("libx265", sample_entry="hev1", params="log-level=none:repeat-headers=1")
    assert verify(io.BytesIO(clip), MediaKind.VIDEO).mislabelled, "the same ones, once more"
    changed, config = bytearray(clip), clip.index(b"hvcC") + 4
    sets = config + 23 + 5
    changed[sets + 2] ^= 0x20  # now the head has another one
    assert not verify(io.BytesIO(bytes(changed)), MediaKind.VIDEO).mislabelled


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_a_broken_index_changes_nothing(at: int) -> None:
    start = HEV1.index(b"stsd")
    broken = bytearray(HEV1)
    broken[start + at] ^= 0xFF
    seen = verify(io.BytesIO(HEV1), MediaKind.VIDEO)
    file = io.BytesIO(bytes(broken))
    before = file.getvalue()
    try:
        corrected = remux.correct_entry(file, seen)
    except StoriesError:
        return
    assert corrected is not seen or file.getvalue() == before
