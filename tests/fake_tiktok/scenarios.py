"""Ready-made casts for the fake: the demo, the two benchmarks, and a small one to try things."""

from __future__ import annotations

from collections.abc import Callable

from tests.fake_tiktok.accounts import H264, HEVC_720, HOURS
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


SCENARIOS: dict[str, Callable[[FakeTikTok], None]] = {
    "basic": basic,
    "demo": demo,
    "bench-a": bench_a,
    "bench-b": bench_b,
}
