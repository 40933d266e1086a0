"""Which addresses a push may be sent to: clients name the endpoints, which must not lead into our own network.

There are two checks: `check_url` of the URL alone, when a device registers; and `is_public` of every address of its
host, each time a connection is made (network.py).
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

MOST_CHARACTERS = 2_000
# The characters of a URL as browsers serialise it. Any other is a trick, or has to be encoded first.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label of a name is not a number: some parsers read 2130706433, 127.1 and 0x7f.1 as addresses.
_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+(?!0x|\d+$){_LABEL}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
# Names that never lead to the public Internet (RFC 6761, RFC 6762, RFC 8375 and ICANN's `internal`).
_PRIVATE_ENDS = (".localhost", ".local", ".internal", ".home.arpa", ".test", ".invalid", ".example", ".onion")

_Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

# Beyond what Python 3.11 calls private: the whole of the protocol assignments, and relays of 6to4.
_NOT_PUBLIC_4: _Networks = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24")))
# The one part of IPv6 that is assigned to hosts of the Internet, and the documentation range in it (RFC 9637).
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_DOCUMENTATION_6 = ipaddress.IPv6Network("3fff::/20")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
# "This network": no host. The unused bits of a translated address read like this.
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


class UnsafeAddress(Exception):
    """An address to which nothing is sent. `why` is the reason and contains nothing secret."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL: it is parsed once, so that the checked parts are those that are used. `target`: path and query."""

    host: str
    port: int
    target: str
    scheme: str = "https"

    @property
    def origin(self) -> str:
        """Scheme, host and port as RFC 6454 writes them."""
        return f"{self.scheme}://{self.authority if self.has_default_port else self.host_and_port}"

    @property
    def has_default_port(self) -> bool:
        """Whether the port is the default of the scheme."""
        return self.port == {"https": 443, "http": 80}[self.scheme]

    @property
    def authority(self) -> str:
        """The host, IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def host_and_port(self) -> str:
        """Host and port, as an allow-list writes them."""
        return f"{self.authority}:{self.port}"


def check_url(url: str, *, allowed: Collection[str] = ()) -> None:
    """Check the URL of a Web Push endpoint; `allowed` are "host:port" that pass without the check of the host.

    :raises UnsafeAddress: with the reason.
    """
    checked_url(url, allowed=allowed)


def checked_url(url: str, *, allowed: Collection[str] = ()) -> Url:
    """Return an endpoint parsed, if it passes `check_url`.

    :raises UnsafeAddress: with the reason.
    """
    if len(url) > MOST_CHARACTERS:
        raise UnsafeAddress(f"longer than {MOST_CHARACTERS} characters")
    if not _CHARACTERS.fullmatch(url):
        raise UnsafeAddress("characters that do not belong in a URL")
    if "#" in url:
        raise UnsafeAddress("a fragment")
    parts = _split(url)
    if parts.host_and_port in allowed:
        return parts
    if parts.port != 443:
        raise UnsafeAddress("a port other than 443")
    _check_host(parts.host)
    return parts


def _split(url: str) -> Url:
    """Parse a URL of plain characters strictly; nothing is guessed or corrected."""
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "https" or not separator:
        raise UnsafeAddress("not https")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise UnsafeAddress("a user in the address")
    host, port = authority, "443"
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        # Brackets are for IPv6; around a name some parsers would drop them.
        if not bracket or ":" not in host or (after and not after.startswith(":")):
            raise UnsafeAddress("no host")
        port = after[1:] if after else port
    elif ":" in authority:
        host, _, port = authority.partition(":")
    if not _PORT.fullmatch(port) or int(port) > 65_535:
        raise UnsafeAddress("no port")
    if not host:
        raise UnsafeAddress("no host")
    target = rest[len(authority) :]
    return Url(host.lower(), int(port), target if target.startswith("/") else f"/{target}")


def _check_host(host: str) -> None:
    """Refuse a host that is neither a public address in its usual form nor a full name."""
    address: IPv4Address | IPv6Address | None = None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    if address is not None:
        if not is_public(host):
            raise UnsafeAddress("a private address")
    elif not _NAME.fullmatch(host):
        raise UnsafeAddress("no full host name")
    elif host.endswith(_PRIVATE_ENDS):
        raise UnsafeAddress("a private name")


def service_url(url: str) -> Url:
    """Return the URL of a service that the operator set, parsed.

    :raises ValueError: it is no http(s) URL with a host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(f"not the URL of a service: {url!r}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = parts.path or "/"
    return Url(parts.hostname, port, f"{target}?{parts.query}" if parts.query else target, parts.scheme)


def is_public(address: str) -> bool:
    """Whether an IP address is a host of the public Internet; also checks an IPv4 address embedded in IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return _is_public_4(parsed) if isinstance(parsed, IPv4Address) else _is_public_6(parsed)


def _is_public_4(address: IPv4Address) -> bool:
    # Python calls multicast global, and class E private.
    return address.is_global and not address.is_multicast and not any(address in net for net in _NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    embedded = _embedded(address)
    if embedded is not None:
        return bool(embedded) and all(map(_is_public_4, embedded))
    return address.is_global and address in _UNICAST_6 and address not in _DOCUMENTATION_6


def _embedded(address: IPv6Address) -> list[IPv4Address] | None:
    """Return the IPv4 addresses at which packets to this one may arrive; None if it embeds no IPv4 address."""
    number = int(address)
    last = IPv4Address(number & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None or address in _COMPATIBLE or address in _NAT64:
        return [last]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in _LOCAL_NAT64:
        # The position of the IPv4 address depends on the length of the translator's prefix: 48, 56, 64 or 96 bits
        # (RFC 6052, section 2.2). We do not know it, so each reading that is a host must be public.
        readings = (
            IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF),
            IPv4Address((number >> 64 & 0xFF) << 24 | number >> 32 & 0xFF_FFFF),
            IPv4Address(number >> 24 & 0xFFFF_FFFF),
            last,
        )
        return [reading for reading in readings if reading not in _THIS_NETWORK]
    return None
