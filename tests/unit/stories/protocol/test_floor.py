"""What no pack can change is itself in order."""

from __future__ import annotations

from curl_cffi import BrowserType

from stories.protocol import floor
from stories.protocol.current import built_in


def test_curl_has_every_tls_target_a_pack_may_choose() -> None:
    assert set(floor.TLS_TARGETS) <= {browser.value for browser in BrowserType}
    assert all(target[-1].isdigit() for target in floor.TLS_TARGETS)


def test_no_domain_where_anybody_can_rent_a_name_is_a_parent() -> None:
    for parent in (*floor.PAGE_PARENTS, *floor.MEDIA_PARENTS):
        assert parent.count(".") == 1
        assert not parent.endswith((".net", ".io"))


def test_the_built_in_pack_keeps_to_it() -> None:
    pack = built_in()
    assert set(pack.codes.accounts.numbers.values()) <= floor.ACCOUNT_NAMES
    assert set(pack.codes.items.words.values()) <= floor.ITEM_NAMES
    assert set(pack.hosts.other_services.values()) <= floor.SERVICE_WORDS
    assert pack.renditions.no_player.isdisjoint(floor.PLAYED)
