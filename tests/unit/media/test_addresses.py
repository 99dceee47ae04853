"""Which addresses may be connected to."""

import ipaddress
import socket

import pytest

from vcd.core import InputError, TransientError
from vcd.media.addresses import checked_addresses, may_reach


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_public_is_not_reached(address):
    assert not may_reach(ipaddress.ip_address(address), [])


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "100.63.255.255",
        "172.32.0.1",
        "2606:4700::1111",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "::ffff:1.1.1.1",
    ],
)
def test_what_is_public_is_reached(address):
    assert may_reach(ipaddress.ip_address(address), [])


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_an_allowed_network_is_reached_in_every_spelling(address):
    networks = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("64:ff9b::/96")]

    assert may_reach(ipaddress.ip_address(address), networks)


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(InputError, match=r"h\.example is at 127\.0\.0\.1") as refusal:
        checked_addresses("h.example", 443, resolve=resolve, allowed_networks=[])

    assert refusal.value.reason == "not_allowed"
    assert asked == [("h.example", 443)]


@pytest.mark.parametrize(
    "failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")]
)
def test_a_name_without_an_answer_may_have_one_later(failure):
    def resolve(host, port):
        raise failure

    with pytest.raises(TransientError, match=r"h\.example could not be looked up") as refusal:
        checked_addresses("h.example", 443, resolve=resolve, allowed_networks=[])

    assert refusal.value.reason == "fetch_failed"


def test_a_name_without_addresses_may_have_one_later():
    with pytest.raises(TransientError, match=r"h\.example has no address"):
        checked_addresses("h.example", 443, resolve=lambda host, port: [], allowed_networks=[])
