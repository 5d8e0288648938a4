"""A TikTok of our own: the pages, the lists, the CDN and its faults, with no network."""

from tests.fake_tiktok.accounts import H264, HEVC_720, HEVC_1080, Account, FakeStory
from tests.fake_tiktok.site import FakeTikTok

__all__ = ["H264", "HEVC_720", "HEVC_1080", "Account", "FakeStory", "FakeTikTok"]
