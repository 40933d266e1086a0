"""The REST side of a device."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.harness.http import http_client
from tests.harness.servers import Server


class Refused(Exception):
    """The server refused: an `error` frame, or a REST answer that is not 2xx."""

    def __init__(self, body: Mapping[str, Any], *, status: int | None = None) -> None:
        super().__init__(f"{status or 'error'}: {dict(body)}")
        self.body = dict(body)
        self.status = status

    @property
    def code(self) -> str | None:
        """The code of the refusal."""
        return self.body.get("code")


@contextmanager
def refused(code: str, *, status: int | None = None) -> Iterator[None]:
    """Expect the block to be refused with this code (and, over REST, this status)."""
    try:
        yield
    except Refused as refusal:
        assert refusal.code == code, f"refused, but not with {code}: {refusal}"
        if refusal.status is not None and status is not None:
            assert refusal.status == status, f"refused, but not with {status}: {refusal}"
        return
    raise AssertionError(f"not refused, although {code} was due")


class RestSide:
    """Asks the REST interface of a server process with a bearer token."""

    def __init__(self, token: str, server: Server) -> None:
        self.token = token
        self.server = server
        self._rest = http_client()

    async def gets(self, path: str, **query: Any) -> Any:
        """GET a path under /api/v1."""
        return await self.asks_rest("GET", path, query=query)

    async def posts(self, path: str, body: Any = None) -> Any:
        """POST to a path under /api/v1."""
        return await self.asks_rest("POST", path, body)

    async def patches(self, path: str, body: Any) -> Any:
        """PATCH a path under /api/v1."""
        return await self.asks_rest("PATCH", path, body)

    async def puts(self, path: str, body: Any) -> Any:
        """PUT to a path under /api/v1."""
        return await self.asks_rest("PUT", path, body)

    async def deletes(self, path: str, **query: Any) -> Any:
        """DELETE a path under /api/v1."""
        return await self.asks_rest("DELETE", path, query=query)

    async def asks_rest(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a request; return the decoded body, None when there is none.

        :raises Refused: the status is not 2xx.
        """
        status, answer = await self.request(method, path, body, query=query)
        if not 200 <= status < 300:
            raise Refused(answer if isinstance(answer, dict) else {"body": answer}, status=status)
        return answer

    async def request(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Make a request and return status and decoded body, whatever they are."""
        content = None if body is None else json.dumps(body)
        answer = await self._rest.request(
            method,
            f"{self.server.http}/api/v1{path}",
            params={name: value for name, value in (query or {}).items() if value is not None},
            content=content,
            headers={"Authorization": f"Bearer {self.token}"}
            | ({"Content-Type": "application/json"} if content is not None else {}),
        )
        return answer.status_code, (answer.json() if answer.content else None)

    async def pages(self, path: str, **query: Any) -> AsyncIterator[Any]:
        """Yield every result of a list, page by page."""
        cursor = None
        while True:
            page = await self.gets(path, **query, cursor=cursor)
            for each in page["results"]:
                yield each
            cursor = page["next"]
            if cursor is None:
                return
