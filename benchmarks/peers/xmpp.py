"""A client of an XMPP server (RFC 6120) over plain TCP: direct messages, and rooms (XEP-0045).

Lives here: signing in, sending, and recognising messages and acknowledgements. A stanza that arrives alone and
whole is recognised by its bytes, everything else goes through an XML parser: otherwise receivers of a room would
cost the load generator more than the server.

In a room, the sender's own copy is the acknowledgement. In a direct conversation, where XMPP returns no copy, it is
the answer to a request of stream management (XEP-0198): the server counts a stanza after it was processed,
including the archive.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from dataclasses import dataclass
from xml.etree.ElementTree import Element, XMLPullParser

from benchmarks.clients import TEXT, Client, Invalid, clock

_STREAMS = "http://etherx.jabber.org/streams"
_CLIENT = "{jabber:client}"
_SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
_ACKS = "{urn:xmpp:sm:3}"
_BODY = f"<body>{TEXT}</body>"
_BODY_BYTES = _BODY.encode()


@dataclass(frozen=True, slots=True)
class XmppPlace:
    """A person, and the conversation that a workload gives them: another person, or a room."""

    domain: str
    user: str
    password: str
    to: str  # bare address of the other person or the room
    in_room: bool
    with_acks: bool  # ask for acknowledgements by stream management


def places(people: list[str], domain: str, password: str, room: str, *, always_room: bool = False) -> list[XmppPlace]:
    """Return the places in one conversation: of two people in a direct one, or of more in a room.

    In a direct conversation the first person is the sender, and requests acknowledgements.
    """
    if len(people) == 2 and not always_room:
        first, second = people
        return [
            XmppPlace(domain, first, password, f"{second}@{domain}", in_room=False, with_acks=True),
            XmppPlace(domain, second, password, f"{first}@{domain}", in_room=False, with_acks=False),
        ]
    return [XmppPlace(domain, user, password, room, in_room=True, with_acks=False) for user in people]


class XmppClient(asyncio.Protocol, Client):
    """One session; `ready` is set when it is bound, present, and in the room if there is one."""

    def __init__(self, place: XmppPlace, faults: list[str]) -> None:
        Client.__init__(self, faults)
        self.hears_itself = place.in_room
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._place = place
        self._transport: asyncio.Transport | None = None
        kind = "groupchat" if place.in_room else "chat"
        self._head = f"<message type='{kind}' to='{place.to}' id='"
        self._tail = f"'>{_BODY}</message>" + ("<r xmlns='urn:xmpp:sm:3'/>" if place.with_acks else "")
        self._previous = ""  # the newest identifier received
        self._heard = 0  # stanzas received, as stream management counts
        self._sent = 0  # stanzas sent since it was enabled
        self._unacknowledged: deque[tuple[int, str]] = deque()
        self._authenticated = False
        self._begin_parser()

    def send_message(self, message_id: str) -> None:
        if self._place.with_acks:
            self._sent += 1
            self._unacknowledged.append((self._sent, message_id))
        self._write(f"{self._head}{message_id}{self._tail}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._open_stream()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.leaving:
            self.faults.append(f"a session was closed: {error}")
            if not self.ready.done():
                self.ready.set_exception(Invalid(self.faults[-1]))

    def data_received(self, data: bytes) -> None:
        now = clock()
        self.bytes_received += len(data)
        if self._at_boundary:
            # Data that begin with the start of a tag are not the rest of another stanza.
            if data.startswith(b"<message "):
                if message_id := whole_message(data):
                    self._heard += 1
                    self._take_message(message_id, now)
                    return
            elif data.startswith(b"<a ") and data.find(b">") == len(data) - 1:
                self._take_count(int(attribute(data, b" h=")), now)
                return
        self._parse(data, now)

    # --- Stanzas --------------------------------------------------------------------------------

    def _begin_parser(self) -> None:
        self._parser = XMLPullParser(("start", "end"))
        self._root: Element | None = None
        self._depth = 0
        self._at_boundary = False

    def _parse(self, data: bytes, now: float) -> None:
        """Feed the parser and handle complete stanzas."""
        parser = self._parser
        parser.feed(data)
        for event, element in parser.read_events():
            if event == "start":
                self._depth += 1
                if self._root is None:
                    self._root = element
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._take_element(element, now)
                    if self._parser is not parser:
                        return  # a new stream begins
                    self._root.clear()
        self._at_boundary = self._depth == 1

    def _take_element(self, element: Element, now: float) -> None:
        tag = element.tag
        if tag.startswith(_CLIENT):
            self._heard += 1
            kind = tag[len(_CLIENT) :]
            if element.get("type") == "error":
                self.faults.append(f"{kind} refused: " + " ".join(part.tag for part in element.iter()))
            elif kind == "message":
                self._take_message_element(element, now)
            elif kind == "presence":
                self._take_presence(element)
            elif element.get("id") == "bind":
                self._become_present()
        elif tag == _ACKS + "a":
            self._take_count(int(element.get("h", "0")), now)
        elif tag == _ACKS + "r":
            self._write(f"<a xmlns='urn:xmpp:sm:3' h='{self._heard}'/>")
        elif tag == _ACKS + "enabled":
            self._heard = 0
        elif tag == f"{{{_STREAMS}}}features":
            self._take_features(element)
        elif tag == _SASL + "success":
            self._authenticated = True
            self._begin_parser()
            self._open_stream()
        else:
            self.faults.append(f"unexpected: {tag} {' '.join(part.tag for part in element)}")

    def _take_message_element(self, element: Element, now: float) -> None:
        if element.find(_CLIENT + "subject") is not None and element.find(_CLIENT + "body") is None:
            return  # the subject that a room sends on entering
        if element.findtext(_CLIENT + "body") != TEXT:
            self.faults.append("a message came with another text")
            return
        self._take_message(element.get("id", ""), now)

    def _take_message(self, message_id: str, now: float) -> None:
        if message_id <= self._previous:  # identifiers grow, and a conversation has one sender
            self.faults.append(f"{message_id} came after {self._previous}")
        self._previous = message_id
        self.take_message(message_id, now)
        if self.on_ack is not None and self.hears_itself:
            self.on_ack(self, message_id, now)

    def _take_count(self, count: int, now: float) -> None:
        """Handle `<a h=...>`: the number of our stanzas that the server has processed."""
        while self._unacknowledged and self._unacknowledged[0][0] <= count:
            self.take_ack(self._unacknowledged.popleft()[1], now)

    # --- Signing in -----------------------------------------------------------------------------

    def _open_stream(self) -> None:
        self._write(
            f"<?xml version='1.0'?><stream:stream to='{self._place.domain}' xmlns='jabber:client' "
            f"xmlns:stream='{_STREAMS}' version='1.0'>"
        )

    def _take_features(self, _features: Element) -> None:
        if not self._authenticated:
            secret = base64.b64encode(f"\0{self._place.user}\0{self._place.password}".encode()).decode()
            self._write(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        else:
            self._write(
                "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                "<resource>benchmark</resource></bind></iq>"
            )

    def _become_present(self) -> None:
        if self._place.with_acks:
            self._write("<enable xmlns='urn:xmpp:sm:3'/>")
        self._write("<presence/>")
        self._sent = 1
        if self._place.in_room:
            self._write(
                f"<presence to='{self._place.to}/{self._place.user}'>"
                "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
            )
            self._sent = 2

    def _take_presence(self, element: Element) -> None:
        """Set `ready` on our own presence, in the room if there is one."""
        origin = element.get("from", "")
        me = f"{self._place.to}/{self._place.user}" if self._place.in_room else f"{self._place.user}@"
        if not self.ready.done() and origin.startswith(me):
            self.ready.set_result(None)

    def _write(self, text: str) -> None:
        if not self._transport.is_closing():
            self._transport.write(text.encode())


_last: tuple[bytes, str] = (b"", "")  # the last message after its receiver's address, and its identifier


def whole_message(data: bytes) -> str:
    """Return the identifier of a message, if the data are one whole message with our text and nothing else; else "".

    For many receivers of a message it searches once and then only compares: the copies differ only in the address
    `to`, in the first tag.
    """
    global _last
    rest, message_id = _last
    if rest and data.endswith(rest) and data.find(b">", 0, -len(rest)) < 0:
        return message_id
    if data.find(b"</message>") != len(data) - 10 or _BODY_BYTES not in data or b" type='error'" in data:
        return ""
    message_id = attribute(data, b" id=")
    address = attribute(data, b" to=").encode()
    start = data.find(address) + len(address)
    if address and attribute(data[start:], b" id=") == message_id:
        _last = (data[start:], message_id)
    return message_id


def attribute(stanza: bytes, mark: bytes) -> str:
    """Return an attribute of the first tag, found by the text before its quote (` id=`); "" if it has none.

    :param stanza: begins with a tag; attribute values contain neither `>` nor the mark.
    """
    at, end = stanza.find(mark), stanza.find(b">")
    if at < 0 or at > end:
        return ""
    at += len(mark)
    return stanza[at + 1 : stanza.index(stanza[at : at + 1], at + 1)].decode()


async def connect(port: int, place: XmppPlace, faults: list[str]) -> XmppClient:
    """Return the client of this person, signed in, present, and in the room if there is one."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: XmppClient(place, faults), "127.0.0.1", port)
    await client.ready
    return client
