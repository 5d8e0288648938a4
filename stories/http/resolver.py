"""Name resolution that yields public addresses only.

A name is resolved once, its addresses are checked, and the connection goes to one of exactly
those: a second answer of the same name server never gets a say (no DNS rebinding). With a proxy
the proxy resolves, and none of this runs.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# From host and port to IP addresses as text, best first.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Addresses that carry an IPv4 address inside: judged by that address.
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
# Not of the public internet, whatever the version of ipaddress says: protocol assignments, among
# them a cloud's metadata service, the relays of 6to4, and another cloud's own service.
_SPECIAL_V4 = tuple(
    IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)
# Likewise: documentation, segment routing, discard, Teredo and other protocol assignments.
_SPECIAL_V6 = tuple(
    IPv6Network(text)
    for text in ("3fff::/20", "5f00::/16", "100::/64", "2001::/23", "2001:db8::/32")
)


class NoPublicAddress(OSError):
    """The name has no address on the public internet, or none at all."""


def is_public(address: str) -> bool:
    """True for an IP address on the public internet; False also for a text that is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    if parsed.scope_id is not None:
        return False
    embedded = _embedded_v4(parsed)
    if embedded is not None:
        return _is_public_v4(embedded)
    if parsed in _NAT64_LOCAL or parsed.is_site_local:
        return False
    if any(parsed in network for network in _SPECIAL_V6):
        return False
    return parsed.is_global and not (
        parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified
    )


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address in network for network in _SPECIAL_V4)
    )


def _embedded_v4(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Every address the system's resolver gives for `host`, in the order it recommends.

    Raises NoPublicAddress for a text that is no host name, else OSError.
    """
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # idna gives up on some names before asking anyone
        raise NoPublicAddress(f"{host!r} is not a host name") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))


async def public_addresses(host: str, port: int, resolve: Resolve) -> tuple[str, ...]:
    """The public addresses of `host`, in order, never empty.

    Raises NoPublicAddress when there are none, and what `resolve` raises.
    """
    allowed = tuple(address for address in await resolve(host, port) if is_public(address))
    if not allowed:
        raise NoPublicAddress(f"{host} has no public address")
    return allowed
