"""Which addresses a name has, and whether each of them may be connected to.

Looked up once for each connection, and every answer is checked: a name that has one public and
one private address is refused, because which one a second look would give is not ours to say.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence

from vcd.core import InputError, TransientError

__all__ = ["Network", "Resolve", "addresses_of", "checked_addresses", "may_reach"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Resolve = Callable[[str, int], Sequence[str]]
"""Look a host name up: ``resolve(host, port)`` gives addresses, best first, or raises OSError."""

_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' shared space
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # examples
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # examples
        "203.0.113.0/24",  # examples
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
"""IANA's special-purpose registry, multicast and reserved; ours, as Python's own list changes."""

_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20")
)
_SIXTOFOUR = ipaddress.IPv6Network("2002::/16")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def addresses_of(host: str, port: int) -> list[str]:
    """Ask the system for all addresses of a name, in the order in which to try them.

    Raises:
        OSError: there is no answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in found))


def checked_addresses(
    host: str, port: int, *, resolve: Resolve, allowed_networks: Sequence[Network]
) -> list[str]:
    """Look a name up once; give its addresses only if every one of them may be reached.

    Raises:
        InputError: one of them may not be (``not_allowed``).
        TransientError: the name could not be looked up (``fetch_failed``).
    """
    try:
        found = list(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise TransientError(
            f"the address of {host} could not be looked up: {error}", reason="fetch_failed"
        ) from error
    if not found:
        raise TransientError(f"{host} has no address", reason="fetch_failed")
    for address in found:
        if not may_reach(ipaddress.ip_address(address), allowed_networks):
            raise InputError(
                f"{host} is at {address}, which is not public and in none of "
                "fetch.allowed_networks",
                reason="not_allowed",
            )
    return found


def may_reach(address: Address, allowed_networks: Sequence[Network]) -> bool:
    """Tell whether an address, and each that is wrapped in it, is public or in a given network."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in allowed_networks):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    wrapped = list(_wrapped(address))
    if any(not may_reach(inner, allowed_networks) for inner in wrapped):
        return False
    is_public = address in _PUBLIC_V6 and not any(address in net for net in _NOT_PUBLIC_V6)
    return is_public or address in _NAT64


def _wrapped(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that a translator on the way would send on to."""
    if address in _SIXTOFOUR and address.sixtofour is not None:
        yield address.sixtofour
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
