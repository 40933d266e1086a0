"""Requests over REST, through the same faulty network as the sockets."""

from __future__ import annotations

from typing import Any

import httpx

# A request that has no answer by then is given up; the server bounds its own statements to 2 s.
TIMEOUT = 8.0
NO_ANSWER = 0


class Rest:
    """Sends REST requests; keeps no state of people or conversations."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        self._client = httpx.AsyncClient(trust_env=False, timeout=TIMEOUT, limits=limits)

    async def __call__(self, port: int, token: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and decoded body of a request under /api/v1; status 0 when no answer came."""
        try:
            answer = await self._client.request(
                method,
                f"http://127.0.0.1:{port}/api/v1{path}",
                json=body,
                headers={"Authorization": f"Bearer {token}"} if token else {},
            )
        except httpx.HTTPError:
            return NO_ANSWER, None
        try:
            return answer.status_code, answer.json() if answer.content else None
        except ValueError:
            return answer.status_code, None

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()
