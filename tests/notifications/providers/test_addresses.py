"""Endpoints that lead, directly or disguised, into a private network."""

import pytest

from notifications.providers.addresses import UnsafeAddress, check_url, checked_url, is_public, service_url


@pytest.mark.parametrize(
    "url",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def-_",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAAAB",
        "https://web.push.apple.com/QGuQyavXutnMH/%2B",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%2fZ",
        "HTTPS://FCM.Googleapis.com:443/x",
        "https://xn--bcher-kva.example.com/x",
        "https://8.8.8.8/x",
        "https://[2001:4860:4860::8888]/x",
        "https://push.example.net",
    ],
)
def test_urls_of_push_services_are_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://push.example.net/x", "not https"),
        ("ftp://push.example.net/x", "not https"),
        ("//push.example.net/x", "not https"),
        ("https:/push.example.net/x", "not https"),
        ("push.example.net", "not https"),
        ("", "characters"),
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https://:443/x", "no host"),
        ("https://user@push.example.net/x", "user"),
        ("https://user:word@push.example.net/x", "user"),
        ("https://push.example.net@127.0.0.1/x", "user"),
        ("https://push.example.net/x#y", "fragment"),
        ("https://push.example.net#@10.0.0.1/", "fragment"),
        ("https://push.example.net:80/x", "port"),
        ("https://push.example.net:8443/x", "port"),
        ("https://push.example.net:0443/x", "port"),
        ("https://push.example.net:/x", "port"),
        ("https://push.example.net:443:443/x", "port"),
        ("https://push.example.net:99999/x", "port"),
        ("https://push.example.net:+443/x", "port"),
        ("https://push.example.net/" + "x" * 2_000, "longer"),
        (" https://push.example.net/x", "characters"),
        ("https://push.example.net/x\n", "characters"),
        ("https://push.exam\tple.net/x", "characters"),
        ("https://push.example.net\\@127.0.0.1/x", "characters"),
        ("https://push.example.net\0/x", "characters"),
        ("https://b\u00fccher.example.net/x", "characters"),
        ("https://\uff11\uff12\uff17.0.0.1/x", "characters"),
        ("https://127\u30020\u30020\u30021/x", "characters"),
        ("https://localhost/x", "no full host name"),
        ("https://intranet/x", "no full host name"),
        ("https://db.internal/x", "private name"),
        ("https://printer.local/x", "private name"),
        ("https://app.localhost/x", "private name"),
        ("https://push.example.net./x", "no full host name"),
        ("https://127.0.0.1./x", "no full host name"),
        ("https://push..example.net/x", "no full host name"),
        ("https://-push.example.net/x", "no full host name"),
        ("https://%6c%6f%63alhost/x", "no full host name"),
        ("https://127%2e0%2e0%2e1/x", "no full host name"),
        ("https://push.example.net%00.evil.net/x", "no full host name"),
        ("https://127.0.0.1/x", "private address"),
        ("https://10.1.2.3/x", "private address"),
        ("https://169.254.169.254/latest/meta-data/", "private address"),
        ("https://0.0.0.0/x", "private address"),
        ("https://127.1/x", "no full host name"),
        ("https://0x7f.1/x", "no full host name"),
        ("https://0x7f000001/x", "no full host name"),
        ("https://2130706433/x", "no full host name"),
        ("https://0177.0.0.1/x", "no full host name"),
        ("https://127.0.0.0x1/x", "no full host name"),
        ("https://1.2.3.4.5/x", "no full host name"),
        ("https://[::1]/x", "private address"),
        ("https://[::]/x", "private address"),
        ("https://[::ffff:127.0.0.1]/x", "private address"),
        ("https://[::ffff:7f00:1]/x", "private address"),
        ("https://[fe80::1]/x", "private address"),
        ("https://[fe80::1%25eth0]/x", "private address"),
        ("https://[2001:4860:4860::8888%251]/x", "private address"),
        ("https://[fd00::1]/x", "private address"),
        ("https://[v1.x]/x", "no host"),
        ("https://[127.0.0.1]/x", "no host"),
        ("https://[push.example.net]/x", "no host"),
        ("https://[::1/x", "no host"),
        ("https://[::1]x:443/x", "no host"),
        ("https://[]/x", "no"),
    ],
)
def test_an_unsafe_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(UnsafeAddress, match=why):
        check_url(url)


def test_an_allowed_host_is_accepted_with_its_port_only() -> None:
    allowed = {"localhost:8443", "[::1]:9", "10.0.0.5:443"}
    for url in ("https://localhost:8443/x", "https://[::1]:9/x", "https://10.0.0.5/x"):
        check_url(url, allowed=allowed)
    for url in ("https://localhost/x", "https://localhost:8444/x", "https://10.0.0.5:8443/", "http://localhost:8443/x"):
        with pytest.raises(UnsafeAddress):
            check_url(url, allowed=allowed)


def test_a_url_is_split_into_host_port_and_target() -> None:
    url = checked_url("https://Push.Example.Net?a=/b")
    assert (url.host, url.port, url.target, url.origin) == (
        "push.example.net",
        443,
        "/?a=/b",
        "https://push.example.net",
    )
    assert checked_url("https://[2001:4860::1]/x").origin == "https://[2001:4860::1]"
    assert service_url("https://localhost:8443").origin == "https://localhost:8443"
    for bad in ("localhost:8443", "ftp://x", "https://"):
        with pytest.raises(ValueError, match="URL of a service"):
            service_url(bad)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "2001:4860:4860::8888",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:a00:0:100:808:808",  # 10.0.0.1 behind a prefix of 48 bits
        "64:ff9b:1:a:0:1:808:808",  # the same behind 56 bits
        "64:ff9b:1:0:a:0:100::",  # and behind 64
        "64:ff9b:1::",
        "100::1",
        "2001::1",  # Teredo, whose addresses are 0.0.0.0 and 255.255.255.254
        "2001:0:808:808::f5ff:fffe",  # Teredo to 10.0.0.1 over a public server
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2002:a00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "2a00:1450::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "localhost",
        "",
        "127.1",
    ],
)
def test_a_private_reserved_or_invalid_address_is_not_public(address: str) -> None:
    assert not is_public(address)
