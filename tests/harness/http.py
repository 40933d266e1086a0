"""HTTP clients for servers on loopback."""

from typing import Any

import httpx

from tests.waiting import DEADLINE

# Proxies of the shell are not asked. `verify` matters only for TLS; reading the certificates would take 35 ms.
OPTIONS: dict[str, Any] = {"trust_env": False, "verify": False, "timeout": DEADLINE}


def http_client(**options: Any) -> httpx.AsyncClient:
    """Return a client that waits up to `DEADLINE` for an answer; `options` are those of httpx."""
    return httpx.AsyncClient(**OPTIONS | options)


def blocking_http_client(**options: Any) -> httpx.Client:
    """Return the same for code that is not asynchronous."""
    return httpx.Client(**OPTIONS | options)
