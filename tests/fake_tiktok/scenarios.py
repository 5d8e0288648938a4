"""Ready-made casts for the fake: the demo, the benchmarks, and a small one to try things."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

from tests.fake_tiktok import real_media
from tests.fake_tiktok.accounts import H264, HEVC_720, HOURS, Account
from tests.fake_tiktok.real_media import Clip, Shot
from tests.fake_tiktok.site import FakeTikTok

MIB = 1024 * 1024


def basic(tiktok: FakeTikTok) -> None:
    """One account with one of each."""
    user = tiktok.account("sample.user", nickname="Sample Name")
    clip = user.video(caption="A clip", song="mp3")
    user.photo(caption="A photo", size=(540, 960))
    user.carousel(3, caption="A carousel", song="m4a", size=(540, 960))
    user.post(caption="An ordinary post")
    tiktok.account("quiet.owl")
    tiktok.account("locked.diary", private=True)
    tiktok.short_link("ZMbasic", to=clip)
    tiktok.short_link("ZMdead", to=None)


def demo(tiktok: FakeTikTok) -> None:
    """A handful of people worth looking at, and one of each thing that can go wrong."""
    bakery = tiktok.account("harbour.bakery", nickname="Harbour Bakery 🥐", verified=True)
    bakery.video(
        seconds=6,
        label="First loaves",
        caption="4 a.m., the first loaves of the day 🥖 #bakery",
        ago_s=20 * HOURS,
        song="mp3",
    )
    bakery.photo(label="Fresh rolls", caption="Fresh rolls, still singing", ago_s=17 * HOURS)
    bread = bakery.carousel(
        4,
        label="Sourdough",
        caption="Sourdough in four pictures: mix, fold, rest, bake",
        ago_s=11 * HOURS,
        song="m4a",
    )
    bakery.video(
        seconds=4,
        label="Last tray",
        caption="Last tray. Come before noon!",
        ago_s=2 * HOURS,
        gears=(H264, HEVC_720),
    )

    trains = tiktok.account("night.trains", nickname="Night Trains")
    trains.video(seconds=5, label="Platform 9", caption="Leaving on time 🚂", ago_s=23.2 * HOURS)
    window = trains.video(
        seconds=8, label="Out of the window", caption="Somewhere after midnight", ago_s=9 * HOURS
    )
    trains.photo(
        label="Breakfast", caption="Breakfast at 200 km/h", ago_s=3 * HOURS, formats=("webp",)
    )

    garden = tiktok.account("tiny.garden", nickname="Tiny Garden 🌱")
    garden.carousel(
        6, label="Balcony", caption="Six pots, one balcony. Which is yours?", ago_s=7 * HOURS
    )
    garden.photo(label="Tomato", caption="The first tomato. I cried.", ago_s=1.5 * HOURS)
    garden.video(seconds=3, label="Watering", caption="Watering, the whole film", ago_s=0.6 * HOURS)
    harvest = garden.post(
        seconds=4, label="Harvest", caption="All of August in four seconds #garden"
    )

    sea = tiktok.account("sea.glass.studio", nickname="Sea Glass Studio")
    sea.video(
        seconds=5,
        label="Low tide",
        caption="Low tide, good finds",
        ago_s=5 * HOURS,
        gears=(HEVC_720,),
        low=False,
    )
    sea.photo(
        label="Blue ones", caption="The blue ones are rare", ago_s=4 * HOURS, formats=("avif",)
    )

    tiktok.account("quiet.owl", nickname="Quiet Owl")  # no story today
    tiktok.account("locked.diary", nickname="Locked Diary", private=True)
    foggy = tiktok.account("foggy.morning", nickname="Foggy Morning")
    foggy.photo(label="Fog", caption="You can see nothing, and it is lovely", ago_s=6 * HOURS)
    tiktok.fault(foggy, "challenge", times=1)
    gone = bakery.expired(listed=False, label="Yesterday")

    tiktok.short_link("ZMwindow", to=window)
    tiktok.short_link("ZMbread", to=bread)
    tiktok.short_link("ZMgarden", to=garden, host="vt.tiktok.com")
    tiktok.short_link("ZMharvest", to=harvest, host="www.tiktok.com")
    tiktok.short_link("ZMyesterday", to=gone)
    tiktok.short_link("ZMdead", to=None)


DEMO_LINES = (
    "@harbour.bakery",
    "night.trains",
    "https://www.tiktok.com/@tiny.garden?lang=en",
    "@sea.glass.studio",
    "https://vm.tiktok.com/ZMwindow/",
    "https://www.tiktok.com/t/ZMharvest/",
    "@foggy.morning",
    "@quiet.owl",
    "@locked.diary",
    "https://vm.tiktok.com/ZMdead/",
)


def bench_a(tiktok: FakeTikTok) -> None:
    """One author, ten stories: six 8 MiB videos, two photos, two carousels of ten."""
    author = tiktok.account("bench")
    for number in range(6):
        author.video(
            seconds=6,
            min_bytes=8 * MIB,
            label=f"Bench {number % 2 + 1}",
            low=False,
            watermark=False,
            ago_s=(10 - number) * HOURS,
        )
    for number in range(2):
        author.photo(label="Bench photo", ago_s=(4 - number) * HOURS, min_bytes=400_000)
    for number in range(2):
        author.carousel(10, label="Bench", ago_s=(2 - number) * HOURS, min_bytes=400_000)


def bench_b(tiktok: FakeTikTok) -> None:
    """Twenty authors with two 2 MiB videos, one photo and one carousel of four each."""
    for number in range(1, 21):
        author = tiktok.account(f"bench{number:02}")
        for part in range(2):
            author.video(
                seconds=5,
                min_bytes=2 * MIB,
                label=f"Bench {part + 1}",
                low=False,
                watermark=False,
                ago_s=(10 - part) * HOURS,
            )
        author.photo(label="Bench photo", ago_s=4 * HOURS, min_bytes=400_000)
        author.carousel(4, label="Bench", ago_s=3 * HOURS, min_bytes=400_000)


SMALL_LINES = 560


def bench_small(tiktok: FakeTikTok) -> None:
    """Many authors with one small photo each: what a line costs apart from its files."""
    for number in range(SMALL_LINES):
        author = tiktok.account(f"small{number:03}")
        author.photo(label="Bench photo", size=(180, 320), ago_s=HOURS)


FULL_HD, SMALL = (1080, 1920), (576, 1024)

LARGE_CLIPS = (
    Clip(seconds=15, size=FULL_HD, keyframe_s=4, mib=8, label="Harbour at night"),
    Clip(seconds=12, size=FULL_HD, keyframe_s=5, mib=7.5, label="On the ferry"),
    Clip(seconds=14, size=SMALL, keyframe_s=2, mib=5, label="Backstage"),
)
"""Of one author, as good as TikTok makes them."""
CLIPS = (
    Clip(seconds=15, size=FULL_HD, keyframe_s=4, mib=2.6, label="Market day"),
    Clip(seconds=10, size=SMALL, keyframe_s=4, mib=1.1, label="Rain again"),
    Clip(seconds=8, size=FULL_HD, keyframe_s=3, mib=2, label="New shoes"),
    Clip(seconds=5, size=SMALL, keyframe_s=2, mib=1, label="Look up"),
    Clip(seconds=11, size=FULL_HD, keyframe_s=8, mib=2.2, label="The long way"),
)
"""Of many authors. Three in five are large; after the last key frame come one to three seconds."""
SHOTS = (
    *(Shot(label=f"Corner {number}", grain=10, quality=85) for number in range(1, 5)),
    *(Shot(label=f"Corner {number}", grain=6) for number in range(5, 7)),
    *(Shot(label=f"Corner {number}", grain=10) for number in range(7, 9)),
    Shot(label="Corner 9", grain=20),
    Shot(label="Corner 10", grain=25, quality=99),
)
"""0.5 to 3 MB, most of them light."""


def _film(author: Account, clip: Clip, ago_s: float) -> None:
    author.video(
        seconds=clip.seconds,
        gears=(("h264", clip.size),),
        bodies=(real_media.clip(clip),),
        label=clip.label,
        low=False,
        watermark=False,
        ago_s=ago_s,
    )


def _expose(author: Account, count: int, shots: Iterator[Shot], ago_s: float) -> None:
    bodies = [real_media.shot(next(shots)) for _ in range(count)]
    author.carousel(count, bodies=bodies, label="Bench", ago_s=ago_s)


def bench_real_a(tiktok: FakeTikTok) -> None:
    """`bench_a` with media as heavy to decode as real ones."""
    author, clips, shots = tiktok.account("bench"), cycle(LARGE_CLIPS), cycle(SHOTS)
    for number in range(6):
        _film(author, next(clips), (10 - number) * HOURS)
    for place, count in enumerate((1, 1, 10, 10)):
        _expose(author, count, shots, (4 - place) * HOURS)


def bench_real_b(tiktok: FakeTikTok) -> None:
    """`bench_b` with media as heavy to decode as real ones."""
    clips, shots = cycle(CLIPS), cycle(SHOTS)
    for number in range(1, 21):
        author = tiktok.account(f"bench{number:02}")
        for part in range(2):
            _film(author, next(clips), (10 - part) * HOURS)
        _expose(author, 1, shots, 4 * HOURS)
        _expose(author, 4, shots, 3 * HOURS)


SCENARIOS: dict[str, Callable[[FakeTikTok], None]] = {
    "basic": basic,
    "demo": demo,
    "bench-a": bench_a,
    "bench-b": bench_b,
    "bench-small": bench_small,
    "bench-real-a": bench_real_a,
    "bench-real-b": bench_real_b,
}
