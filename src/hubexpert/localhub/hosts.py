"""Names of machines: those of this one, and those in a `Host` header."""

import ipaddress
import re

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::([0-9]{1,5}))?")


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach a server of this name or address."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False  # the name of a machine


def address_of(host: str, port: int) -> str:
    """The address of a server that listens there."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def host_name(header: str) -> str | None:
    """The name or address in a `Host` header, in lower case and without brackets; None when it is malformed."""
    match = _HOST.fullmatch(header)
    if match is None or int(match[3] or 0) > 65535:
        return None
    if match[1] is not None and not _is_ipv6(match[1]):
        return None
    return (match[1] or match[2]).lower()


def _is_ipv6(address: str) -> bool:
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True
