"""The XMPP client parses a stream however TCP splits it, and reports faults."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clients import TEXT
from benchmarks.peers.xmpp import XmppClient, XmppPlace, attribute, places

FEATURES = (
    b"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
)
STREAM = (
    b"<?xml version='1.0'?><stream:stream id='1' version='1.0' xmlns:stream='http://etherx.jabber.org/streams' "
    b"from='localhost' xmlns='jabber:client'>" + FEATURES + b"</stream:features>"
)
SUCCESS = b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
BOUND = (
    b"<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@localhost/b</jid></bind></iq>"
)
PRESENT = b"<presence from='a@localhost/b' to='a@localhost/b'/>"


class Wire(asyncio.Transport):
    """Stores the bytes that a client writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False


def message(message_id: str, text: str = TEXT, kind: str = "chat") -> bytes:
    return (
        f"<message from='b@localhost/x' to='a@localhost/b' type='{kind}' id='{message_id}'><body>{text}</body>"
        "<stanza-id by='a@localhost' xmlns='urn:xmpp:sid:0' id='1789'/></message>"
    ).encode()


def signed_in(place: XmppPlace) -> tuple[XmppClient, Wire, list[str]]:
    """Return a signed-in client, its wire, and the list of faults that it will fill."""
    faults: list[str] = []
    client, wire = XmppClient(place, faults), Wire()
    client.connection_made(wire)
    for part in (STREAM, SUCCESS, STREAM, BOUND, PRESENT):
        client.data_received(part)
    assert client.ready.done()
    assert not faults
    return client, wire, faults


def in_a_pair() -> tuple[XmppClient, Wire, list[str]]:
    return signed_in(places(["a", "b"], "localhost", "secret", "")[0])


async def test_the_client_signs_in_and_requests_acknowledgements() -> None:
    _, wire, _ = in_a_pair()
    assert wire.written.count(b"<stream:stream ") == 2
    assert b"mechanism='PLAIN'>AGEAc2VjcmV0</auth>" in wire.written
    assert wire.written.endswith(b"<enable xmlns='urn:xmpp:sm:3'/><presence/>")


@given(cuts=st.lists(st.integers(0, 2000), max_size=12))
async def test_messages_arrive_once_in_order_however_the_stream_is_cut(cuts: list[int]) -> None:
    client, wire, faults = in_a_pair()
    heard: list[str] = []
    client.on_message = lambda _client, message_id, _now: heard.append(message_id)
    stream = (
        message("m-1") + message("m-2") + b"<r xmlns='urn:xmpp:sm:3'/>" + message("m-3")
        + b"<presence from='b@localhost/x'><status>m</status></presence>" + message("m-4")
    )  # fmt: skip
    places_to_cut = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, end in itertools.pairwise(places_to_cut):
        client.data_received(stream[start:end])
    assert heard == ["m-1", "m-2", "m-3", "m-4"]
    assert client.messages == 4
    assert not faults
    assert client.bytes_received > len(stream)
    assert b"<a xmlns='urn:xmpp:sm:3' h=" in wire.written


async def test_a_count_acknowledges_every_message_up_to_it() -> None:
    client, _, _ = in_a_pair()
    acknowledged: list[str] = []
    client.on_ack = lambda _client, message_id, _now: acknowledged.append(message_id)
    for message_id in ("m-1", "m-2", "m-3"):
        client.send_message(message_id)
    client.data_received(b"<a h='1' xmlns='urn:xmpp:sm:3'/>")
    assert acknowledged == []  # the first counted stanza is the presence
    client.data_received(b"<a h='3' xmlns='urn:xmpp:sm:3'/>")
    assert acknowledged == ["m-1", "m-2"]
    client.data_received(b"<a xmlns='urn:xmpp:sm:3' h='4'></a>")
    assert acknowledged == ["m-1", "m-2", "m-3"]


async def test_in_a_room_the_own_copy_is_the_acknowledgement() -> None:
    place = places(["a", "b", "c"], "localhost", "secret", "room@conference.localhost")[0]
    faults: list[str] = []
    client = XmppClient(place, faults)
    client.connection_made(Wire())
    for part in (STREAM, SUCCESS, STREAM, BOUND, PRESENT):
        client.data_received(part)
    assert not client.ready.done()  # present, but not yet in the room
    client.data_received(b"<presence from='room@conference.localhost/a'/>")
    acknowledged: list[str] = []
    client.on_ack = lambda _client, message_id, _now: acknowledged.append(message_id)
    client.data_received(b"<message from='room@conference.localhost' type='groupchat'><subject/></message>")
    client.data_received(message("m-1", kind="groupchat"))
    assert acknowledged == ["m-1"]
    assert client.messages == 1
    assert client.hears_itself
    assert not faults


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (message("m-2") + message("m-1"), "m-1 came after m-2"),
        (message("m-2") + message("m-2"), "m-2 came after m-2"),
        (message("m-1", text="Another"), "another text"),
        (message("m-1", kind="error"), "message refused"),
        (b"<iq type='error' id='x'><error/></iq>", "iq refused"),
        (b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "unexpected"),
    ],
)
async def test_unexpected_input_is_a_fault(bad: bytes, fault: str) -> None:
    for cut in (len(bad), bad.find(b"</message>") + 10, 30):
        client, _, faults = in_a_pair()
        client.data_received(bad[:cut])
        client.data_received(bad[cut:])
        assert any(fault in found for found in faults), faults


async def test_a_message_to_many_is_not_taken_for_a_repeated_one() -> None:
    def to(user: str, message_id: str) -> bytes:
        return message(message_id).replace(b"to='a@localhost/b'", b"to='%b@localhost/b'" % user.encode())

    heard: list[str] = []
    people = [in_a_pair() for _ in range(3)]
    for message_id in ("m-1", "m-2", "m-3"):
        for (client, _, faults), name in zip(people, "abc", strict=True):
            client.on_message = lambda _client, message_id, _now: heard.append(message_id)
            client.data_received(to(name, message_id))
            assert not faults
    assert heard == ["m-1"] * 3 + ["m-2"] * 3 + ["m-3"] * 3
    (first, _, faults), (second, _, _) = people[:2]
    second.data_received(to("b", "m-5"))
    first.data_received(to("a", "m-4") + to("a", "m-5"))
    first.data_received(to("a", "m-5"))
    assert first.messages == 6
    assert faults == ["m-5 came after m-5"]


async def test_a_message_inside_another_is_not_counted() -> None:
    client, _, faults = in_a_pair()
    for part in (b"<message from='a@localhost'><sent><forwarded>", message("m-1"), b"</forwarded></sent></message>"):
        client.data_received(part)
    assert client.messages == 0
    assert faults == ["a message came with another text"]


async def test_a_lost_connection_is_a_fault_unless_the_client_left() -> None:
    client, _, faults = in_a_pair()
    client.leaving = True
    client.connection_lost(None)
    assert not faults
    client.leaving = False
    client.connection_lost(None)
    assert faults


def test_an_attribute_is_read_from_the_first_tag_only() -> None:
    assert attribute(b"<message a='1' id='x'><y id='z'/></message>", b" id=") == "x"
    assert attribute(b'<message id="x"/>', b" id=") == "x"
    assert attribute(b"<message><y id='z'/></message>", b" id=") == ""
