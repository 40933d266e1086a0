"""One signed-in device of a person: a bearer token, REST, and at most one socket at a time."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any
from uuid import uuid4

from tests.harness.http import http_client
from tests.harness.proxy import Proxy
from tests.harness.rest import Refused, RestSide
from tests.harness.servers import Server, Site
from tests.harness.socket_side import Frame, SocketSide, id_of, matches
from tests.waiting import DEADLINE

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Person:
    """An account."""

    name: str  # in the test
    username: str  # on the server, where names of many tests meet
    id: str


class Device(RestSide, SocketSide):
    """One signed-in device of a person."""

    def __init__(self, person: Person, name: str, token: str, server: Server, site: Site) -> None:
        RestSide.__init__(self, token, server)
        SocketSide.__init__(self, token, server, site)
        self.person = person
        self.name = name
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
        """Close the sockets and REST connections of this device and of those made from it."""
        for other in self._others:
            await other.leaves()
        await self.disconnects()
        await self._rest.aclose()

    async def connects(self, *, auth: str = "header", via: Proxy | None = None, server: Server | None = None) -> Frame:
        """Open the socket and wait for `connected`, which is returned.

        `auth` is "header" (at the upgrade) or "frame" (the first frame). `via` goes through a proxy.
        """
        await self.opens_socket(auth=auth, via=via, server=server)
        if auth == "frame":
            await self.says("auth", token=self.token)
        return await self.receives("connected")

    # --- Talking ---------------------------------------------------------------------------

    async def says(self, type: str, **fields: Any) -> str:
        """Send a command without waiting; return its id."""
        number = fields.pop("id", None) or f"{self.name}-{next(self._ids)}"
        await self.says_raw(json.dumps({"type": type, "id": number} | fields, ensure_ascii=False))
        return str(number)

    async def asks(self, type: str, *, within: float = DEADLINE, **fields: Any) -> Frame:
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
        within: float = DEADLINE,
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

    async def insists(self, content: str, *, to: Any) -> Frame:
        """Send a message, again whenever the answer is `try_again`, as the protocol asks of a client."""
        mine = str(uuid4())
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    return await self.sends(content, to=to, client_message_id=mine)
                except Refused as refusal:
                    if refusal.code != "try_again":
                        raise

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
        """Wait until this socket has received the creation of a conversation; takes no frame."""
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

    async def hears_everything_from(self, other: "Device", *, in_: Any) -> None:
        """Wait until what `other` caused so far has arrived here, if it arrives at all.

        A fence: `other` sends one more message in a common conversation. It takes
        the same way as everything before.
        """
        fence = f"fence {token_hex(4)}"
        await other.sends(fence, to=in_)
        await self.receives("new_message", content=fence)
        await self.asks("ping")


async def _sign_in(server: Server, username: str, device: str) -> str:
    async with http_client() as client:
        answer = await client.post(
            f"{server.http}/api/v1/auth/login",
            json={"username": username, "password": PASSWORD},
            headers={"X-Device-ID": device},
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])
