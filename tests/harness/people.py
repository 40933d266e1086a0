"""People with devices, so that tests read as dialogues.

    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.sends("hi", to=conversation)
        await ben.receives("new_message", content="hi")

A `Device` is one signed-in device: a bearer token, REST, and at most one socket at a time. The
device that `people` hands out is the person's first; `ana.another_device()` signs in one more.

Nothing here waits for luck. `receives` waits for a frame; that something did *not* arrive is
said by `has_not_heard` after a later frame on the same way has arrived (`hears_everything_from`).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.harness.proxy import Proxy
from tests.harness.servers import Server, Site

Frame = dict[str, Any]
PATIENCE = 10.0  # seconds until a frame that never comes fails a test
PASSWORD = "correct horse battery staple"

# Short names for the fields that tests ask for most.
_SHORT = {
    "conversation": "conversation_id",
    "sender": "sender_user_id",
    "user": "user_id",
    "reader": "reader_id",
}
_NESTED = ("message", "participant", "conversation")


class Refused(Exception):
    """The server said no: an `error` frame, or a REST answer that is not 2xx."""

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


@dataclass(frozen=True)
class Person:
    """An account."""

    name: str  # in the test
    username: str  # on the server, where names of many tests meet
    id: str


class Device:
    """One signed-in device of a person."""

    def __init__(self, person: Person, name: str, token: str, server: Server, site: Site) -> None:
        self.person = person
        self.name = name
        self.token = token
        self.server = server
        self.site = site
        self.close_code: int | None = None
        self._rest = httpx.AsyncClient(trust_env=False, verify=False, timeout=30)  # noqa: S501 - plain http
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard: list[Frame] = []
        self._taken: set[int] = set()
        self._news = asyncio.Event()
        self._ids = count(1)
        self._others: list[Device] = []

    def __repr__(self) -> str:
        return f"<{self.person.name}'s {self.name}>"

    @property
    def id(self) -> str:
        """The person's user id."""
        return self.person.id

    @property
    def username(self) -> str:
        """The person's name on the server."""
        return self.person.username

    # --- Devices ---------------------------------------------------------------------------

    async def another_device(
        self, name: str = "phone", *, server: Server | None = None, connected: bool = True
    ) -> "Device":
        """Sign the same person in on one more device, by default at the same server process."""
        at = server or self.server
        token = await _sign_in(at, self.username, name)
        other = Device(self.person, name, token, at, self.site)
        self._others.append(other)
        if connected:
            await other.connects()
        return other

    def twin(self, *, server: Server | None = None) -> "Device":
        """Return a second client with the same credentials, as a second tab of one browser is."""
        twin = Device(self.person, self.name, self.token, server or self.server, self.site)
        self._others.append(twin)
        return twin

    async def leaves(self) -> None:
        """Let go of sockets and REST connections of this device and of those made from it."""
        for other in self._others:
            await other.leaves()
        await self.disconnects()
        await self._rest.aclose()

    # --- REST ------------------------------------------------------------------------------

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

    # --- The socket ------------------------------------------------------------------------

    async def connects(self, *, auth: str = "header", via: Proxy | None = None, server: Server | None = None) -> Frame:
        """Open the socket and wait for `connected`, which is returned.

        `auth` is "header" (at the upgrade) or "frame" (the first frame). `via` goes through a proxy.
        """
        await self.opens_socket(auth=auth, via=via, server=server)
        if auth == "frame":
            await self.says("auth", token=self.token)
        return await self.receives("connected")

    async def opens_socket(
        self,
        *,
        auth: str | None = "header",
        via: Proxy | None = None,
        server: Server | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Open a socket and wait for nothing."""
        await self.disconnects()
        self.server = server or self.server
        port = via.port if via is not None else self.server.port
        bearer = {"Authorization": f"Bearer {self.token}"} if auth == "header" else {}
        self._heard, self._taken, self.close_code = [], set(), None
        self._socket = await connect(
            f"ws://127.0.0.1:{port}/ws",
            additional_headers=bearer | dict(headers or {}),
            compression=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            close_timeout=2,
            open_timeout=PATIENCE,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._reads(self._socket))

    async def disconnects(self) -> None:
        """Close the socket with a goodbye; nothing happens when there is none."""
        if self._socket is not None:
            await self._socket.close()
        await self._forgets_socket()

    async def vanishes(self) -> None:
        """Drop the connection without a goodbye, as a phone in a tunnel does."""
        if self._socket is not None:
            self._socket.transport.abort()
        await self._forgets_socket()

    async def is_closed(self, code: int | None = None, *, within: float = PATIENCE) -> int | None:
        """Wait until the server closed the socket, with this code if one is given."""
        assert self._reader is not None, f"{self} has no socket"
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), within)
        except TimeoutError:
            raise AssertionError(f"{self} was not closed within {within} s; heard {self._summary()}") from None
        assert code is None or self.close_code == code, (
            f"{self} was closed with {self.close_code}, not {code}; heard {self._summary()}"
        )
        return self.close_code

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open."""
        return self._reader is not None and not self._reader.done()

    async def _reads(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                assert isinstance(text, str), "the server sent a binary frame"
                self._heard.append(json.loads(text))
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.close_code = socket.close_code
            self._news.set()

    async def _forgets_socket(self) -> None:
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=PATIENCE)
        self._socket = self._reader = None

    # --- Talking ---------------------------------------------------------------------------

    async def says_raw(self, data: str | bytes) -> None:
        """Send a frame as it is: text for str, binary for bytes."""
        await self._sends_raw(data)

    async def says_raw_text(self, data: bytes) -> None:
        """Send bytes as a text frame, whether they are UTF-8 or not."""
        await self._sends_raw(data, text=True)

    async def _sends_raw(self, data: str | bytes, *, text: bool | None = None) -> None:
        assert self._socket is not None, f"{self} has no socket"
        assert self._reader is not None
        try:
            await self._socket.send(data, text=text)
        except ConnectionClosed:
            # What came before the end is read first, and then `is_connected` says the same as this error.
            await asyncio.wait([self._reader], timeout=PATIENCE)
            raise

    async def says(self, type: str, **fields: Any) -> str:
        """Send a command without waiting; return its id."""
        number = fields.pop("id", None) or f"{self.name}-{next(self._ids)}"
        await self.says_raw(json.dumps({"type": type, "id": number} | fields, ensure_ascii=False))
        return str(number)

    async def asks(self, type: str, *, within: float = PATIENCE, **fields: Any) -> Frame:
        """Send a command and return the answer to it.

        :raises Refused: the answer is an error.
        """
        number = await self.says(type, **fields)
        answer = await self.hears(lambda frame: frame.get("id") == number, f"an answer to {type}", within=within)
        if answer["type"] == "error":
            raise Refused(answer)
        return answer

    async def hears_error_of(self, type: str, **fields: Any) -> Frame:
        """Send a command that is to be refused, and return the `error` frame."""
        try:
            answer = await self.asks(type, **fields)
        except Refused as refusal:
            return refusal.body
        raise AssertionError(f"{self}: {type} was not refused but answered with {answer}")

    async def sends(
        self,
        content: str,
        *,
        to: Any,
        client_message_id: str | None = None,
        within: float = PATIENCE,
        **fields: Any,
    ) -> Frame:
        """Send a message over the socket and return its `message_ack`.

        :raises Refused: it was refused.
        """
        ack = await self.asks(
            "send_message",
            conversation_id=id_of(to),
            content=content,
            client_message_id=client_message_id or str(uuid4()),
            within=within,
            **fields,
        )
        assert ack["type"] == "message_ack", ack
        return ack

    async def posts_message(self, content: str, *, to: Any, client_message_id: str | None = None, **fields: Any) -> Any:
        """Send a message over REST and return its body."""
        body = {"conversation_id": id_of(to), "content": content} | fields
        if client_message_id is not None:
            body["client_message_id"] = client_message_id
        return await self.posts("/messages", body)

    async def talks_to(self, other: "Device") -> Any:
        """Open the direct conversation with somebody, wait until the open sockets know it, return it."""
        return await self._opens({"type": "direct", "participant_ids": [other.id]}, other)

    async def gathers(self, *others: "Device", name: str = "Trip") -> Any:
        """Create a group, wait until the open sockets of its members know it, return it."""
        body = {"type": "group", "name": name, "participant_ids": [other.id for other in others]}
        return await self._opens(body, *others)

    async def _opens(self, body: Mapping[str, Any], *others: "Device") -> Any:
        status, conversation = await self.request("POST", "/conversations", body)
        if status not in (200, 201):
            raise Refused(conversation, status=status)
        for device in (self, *others):
            if status == 201 and device.is_connected:
                await device.knows(conversation)
        return conversation

    async def knows(self, conversation: Any) -> None:
        """Wait until this socket has heard of a conversation that begins; takes no frame."""
        await self.hears(
            lambda frame: matches(frame, "conversation_created", {"conversation": conversation}),
            f"that {id_of(conversation)} begins",
            takes=False,
        )

    async def looks_at(self, conversation: Any) -> Any:
        """Return the conversation as this person sees it now."""
        return await self.gets(f"/conversations/{id_of(conversation)}")

    async def lists_conversations(self) -> list[Any]:
        """Return all conversations, page by page."""
        return [each async for each in self.pages("/conversations")]

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

    async def history(self, conversation: Any, *, limit: int | None = None) -> list[Any]:
        """Return all messages of a conversation that this person may see, oldest first."""
        found: list[Any] = []
        before = None
        while True:
            page = await self.gets(f"/conversations/{id_of(conversation)}/messages", before=before, limit=limit)
            found += page["results"]
            if not page["has_more"]:
                return found[::-1]
            before = page["results"][-1]["sequence"]

    # --- Hearing ---------------------------------------------------------------------------

    async def receives(self, type: str, *, within: float = PATIENCE, **fields: Any) -> Frame:
        """Wait for a frame of this type with these fields, in the frame or in the body it carries.

        Each frame answers one `receives` only; frames in between stay for later ones.
        """
        description = f"{type} {fields or ''}".strip()
        return await self.hears(lambda frame: matches(frame, type, fields), description, within=within)

    async def hears(
        self,
        wanted: Callable[[Frame], bool],
        description: str,
        *,
        within: float = PATIENCE,
        takes: bool = True,
    ) -> Frame:
        """Wait for a frame for which `wanted` is true; unless it `takes` it, later calls find it again."""
        try:
            async with asyncio.timeout(within):
                return await self._finds(wanted, takes)
        except TimeoutError:
            raise AssertionError(
                f"{self} did not hear {description} within {within} s; heard {self._summary()}"
                f"\n{self.site.recent_logs()}"
            ) from None

    async def _finds(self, wanted: Callable[[Frame], bool], takes: bool) -> Frame:
        position = 0
        while True:
            self._news.clear()
            while position < len(self._heard):
                frame = self._heard[position]
                if position not in self._taken and wanted(frame):
                    if takes:
                        self._taken.add(position)
                    return frame
                position += 1
            if not self.is_connected and position == len(self._heard):
                raise AssertionError(f"{self} is not connected (close code {self.close_code}); heard {self._summary()}")
            await self._news.wait()

    def heard(self, type: str, **fields: Any) -> list[Frame]:
        """Return every frame of the current socket so far that matches, in order, taken or not."""
        return [frame for frame in self._heard if matches(frame, type, fields)]

    def all_heard(self) -> list[Frame]:
        """Return every frame of the current socket so far."""
        return list(self._heard)

    def has_not_heard(self, type: str, **fields: Any) -> None:
        """Say that no such frame came so far; call it after a frame that must have come later."""
        found = self.heard(type, **fields)
        assert not found, f"{self} should not have heard {found}"

    async def frames(self, position: int = 0) -> AsyncIterator[Frame]:
        """Yield the frames of the current socket as they come, until it closes."""
        heard = self._heard
        while True:
            self._news.clear()
            while position < len(heard):
                yield heard[position]
                position += 1
            if heard is not self._heard or not self.is_connected:
                return
            await self._news.wait()

    async def hears_everything_from(self, other: "Device", *, in_: Any) -> None:
        """Wait until what `other` caused so far has arrived here, if it arrives at all.

        A fence: `other` sends one more message in a conversation that both are in, and it travels
        the way that everything before travelled.
        """
        fence = f"fence {token_hex(4)}"
        await other.sends(fence, to=in_)
        await self.receives("new_message", content=fence)
        await self.asks("ping")

    def takes_all(self) -> None:
        """Mark everything heard so far as taken."""
        self._taken.update(range(len(self._heard)))

    def _summary(self) -> str:
        return (
            "nothing" if not self._heard else "".join(f"\n  {json.dumps(frame)[:300]}" for frame in self._heard[-25:])
        )


def id_of(thing: Any) -> str:
    """Return the id of a body, a device's person, or an id itself."""
    return str(thing["id"] if isinstance(thing, Mapping) else getattr(thing, "id", thing))


def matches(frame: Frame, type: str, fields: Mapping[str, Any]) -> bool:
    """Return whether a frame has this type and these fields, in itself or in the body it carries."""
    if frame["type"] != type:
        return False
    bodies = [frame, *(frame[name] for name in _NESTED if isinstance(frame.get(name), dict))]
    for short, wanted in fields.items():
        name = _SHORT.get(short, short)
        value = id_of(wanted) if name != short or isinstance(wanted, Device) else wanted
        if not any(name in body and body[name] == value for body in bodies):
            return False
    return True


async def _sign_in(server: Server, username: str, device: str) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(
            f"{server.http}/api/v1/auth/login",
            json={"username": username, "password": PASSWORD},
            headers={"X-Device-ID": device},
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


class People:
    """Makes people on a site. People take turns at the site's server processes."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def signs_up(self, name: str, *, server: Server | None = None, device: str = "laptop") -> Device:
        """Create an account under a name of its own and return its first device, unconnected."""
        at = server or self.site.servers[0]
        username = f"{name}-{token_hex(4)}"
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.post(
                f"{at.http}/api/v1/auth/register",
                json={"username": username, "password": PASSWORD, "display_name": name.title()},
                headers={"X-Device-ID": device},
            )
        assert answer.status_code == 201, answer.text
        signed_up = answer.json()
        return Device(Person(name, username, signed_up["user"]["id"]), device, signed_up["token"], at, self.site)

    @asynccontextmanager
    async def __call__(self, *names: str, connected: bool = True) -> AsyncIterator[tuple[Device, ...]]:
        """Give each name an account and a device with a socket, each at the next server process.

        At the end everybody leaves, and an `error` frame that no test asked for fails the test.
        """
        devices: list[Device] = []
        try:
            for number, name in enumerate(names):
                server = self.site.servers[number % len(self.site.servers)]
                devices.append(await self.signs_up(name, server=server))
            if connected:
                await asyncio.gather(*(device.connects() for device in devices))
            yield tuple(devices)
            for device in devices:
                surprises = [
                    frame
                    for position, frame in enumerate(device._heard)
                    if frame["type"] == "error" and position not in device._taken
                ]
                assert not surprises, f"{device} was sent {surprises}"
        finally:
            await asyncio.gather(*(device.leaves() for device in devices))
