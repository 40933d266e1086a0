"""Which network a client belongs to, for limits that count by address."""

import ipaddress


def network_of(address: str) -> str:
    """Return the key for limits by address: an IPv4 address, also of an IPv4-mapped one, or the /64 of an IPv6 address.

    A household or a server has a whole /64, and can use another address of it for each request. What is no address
    is returned as it is.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"
