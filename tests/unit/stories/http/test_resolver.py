"""Only addresses on the public internet may be contacted directly."""

from collections.abc import Sequence

import pytest

from stories.http import resolver

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "151.101.1.69",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        pytest.param("::ffff:8.8.8.8", id="mapped, public inside"),
        pytest.param("64:ff9b::808:808", id="NAT64, public inside"),
        pytest.param("2002:808:808::1", id="6to4, public inside"),
    ],
)
def test_public(address: str) -> None:
    assert resolver.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "192.88.99.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        pytest.param("2001:0:7f00:1::1", id="Teredo"),
        "2001:0:1::1",
        "fd00:ec2::254",
        "192.0.0.192",
        "100.100.100.200",
        "168.63.129.16",
        "0.1.2.3",
        "3fff::1",
        "5f00::1",
        "100::1",
        pytest.param("::ffff:127.0.0.1", id="mapped loopback"),
        pytest.param("::ffff:10.0.0.1", id="mapped private"),
        pytest.param("::7f00:1", id="compatible loopback"),
        pytest.param("2002:7f00:1::", id="6to4 loopback"),
        pytest.param("2002:c0a8:101::", id="6to4 private"),
        pytest.param("64:ff9b::7f00:1", id="NAT64 loopback"),
        pytest.param("64:ff9b::a9fe:a9fe", id="NAT64 link-local"),
        pytest.param("64:ff9b:1::808:808", id="local NAT64"),
        "",
        "not an address",
        "127.1",
    ],
)
def test_not_public(address: str) -> None:
    assert not resolver.is_public(address)


async def test_private_answers_are_left_out_and_the_order_is_kept() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ("10.0.0.1", "8.8.4.4", "::1", "8.8.8.8")

    assert await resolver.public_addresses("a.example", 443, resolve) == ("8.8.4.4", "8.8.8.8")


@pytest.mark.parametrize("answers", [("127.0.0.1",), ("10.0.0.1", "::1"), ()])
async def test_a_name_without_a_public_address_is_refused(answers: tuple[str, ...]) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers

    with pytest.raises(resolver.NoPublicAddress):
        await resolver.public_addresses("www.tiktok.com", 443, resolve)


async def test_the_system_resolver_answers_with_plain_addresses() -> None:
    assert "127.0.0.1" in await resolver.system_resolve("127.0.0.1", 443)
    with pytest.raises(OSError, match="not a host name"):
        await resolver.system_resolve("a" * 70 + ".example", 443)
