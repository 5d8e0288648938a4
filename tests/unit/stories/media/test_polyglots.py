"""Files that are two things at once: refused, or kept as the picture, video or song they are."""

from __future__ import annotations

import io

import pytest

from stories.errors import MediaError
from stories.media.decoders import sniff_format
from stories.media.verify import verify
from stories.structures import MediaKind
from tests.attack.polyglots import DISGUISED, HYBRIDS, hybrids


@pytest.mark.parametrize("name", HYBRIDS)
def test_what_else_a_file_may_be_it_is_called_by_its_first_bytes(name: str) -> None:
    kind, content_type, data = hybrids()[name]
    try:
        verified = verify(io.BytesIO(data), kind)
    except MediaError:
        return
    assert verified.content_type == content_type
    assert sniff_format(data[:64]).content_type == content_type


@pytest.mark.parametrize("name", DISGUISED)
@pytest.mark.parametrize("kind", MediaKind)
def test_what_is_no_picture_video_or_song_is_refused(name: str, kind: MediaKind) -> None:
    with pytest.raises(MediaError):
        verify(io.BytesIO(DISGUISED[name]), kind)
