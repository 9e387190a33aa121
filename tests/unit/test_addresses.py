"""Which addresses an image may be fetched from."""

import ipaddress

import pytest

from scrim.errors import ImageError
from scrim.gateway.addresses import AddressRules, is_public, literal

PUBLIC = ["1.1.1.1", "93.184.215.14", "192.0.3.1", "2606:4700::1111", "2a00:1450:4001:80b::200e"]
NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.31.0.1", "192.168.0.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:1.1.1.1", "::127.0.0.1", "::1.1.1.1", "::ffff:0:1.1.1.1"),
    *("64:ff9b::7f00:1", "64:ff9b::101:101", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:101:101::1", "3fff::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0"),
    *("fec0::1", "ff02::1", "ff0e::1", "5f00::1", "2606:4700::1%eth0", "2a00::5efe:7f00:1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_on_the_internet_may_be_reached(address: str):
    assert is_public(ipaddress.ip_address(address))
    AddressRules().check("example.org", [address])


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_may_be_reached(address: str):
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(ImageError, match=r"images\.allow_hosts"):
        AddressRules().check("example.org", [address])


def test_one_wrong_address_among_good_ones_is_enough():
    with pytest.raises(ImageError, match=r"127\.0\.0\.1"):
        AddressRules().check("example.org", ["1.1.1.1", "127.0.0.1"])


@pytest.mark.parametrize("host", ["nas.lan", "NAS.lan."])
@pytest.mark.parametrize("address", ["192.168.1.5", "10.1.2.3", "172.16.0.1", "fd00::5", "1.1.1.1"])
def test_a_host_that_is_allowed_may_be_in_the_local_network(host: str, address: str):
    AddressRules(["nas.lan"]).check(host, [address])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0"])
def test_a_name_that_is_allowed_does_not_lead_to_this_machine(address: str):
    with pytest.raises(ImageError, match="not one on the internet"):
        AddressRules(["nas.lan"]).check("nas.lan", [address])


def test_an_address_that_is_allowed_itself_may_be_reached():
    AddressRules(["127.0.0.1", "[fd00::5]"]).check("127.0.0.1", ["127.0.0.1"])
    AddressRules(["[FD00::5]"]).check("x", ["fd00::5"])
    with pytest.raises(ImageError):
        AddressRules(["127.0.0.1"]).check("127.0.0.2", ["127.0.0.2"])


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "1.1"),
        *("0X7F000001", "017700000001", "example.1", "x.0x", "[::1]x", "1:2", "00000"),
    ],
)
def test_odd_spellings_of_an_address_are_refused(host: str):
    with pytest.raises(ImageError, match="odd spelling"):
        literal(host)


@pytest.mark.parametrize("host", ["example.org", "1e100.net", "0x.org", "xn--bcher-kva.example", "a1"])
def test_a_name_is_no_address(host: str):
    assert literal(host) is None


@pytest.mark.parametrize("host", ["1.2.3.4", "::1", "[::1]"])
def test_an_address_is_one(host: str):
    assert literal(host) == ipaddress.ip_address(host.strip("[]"))
