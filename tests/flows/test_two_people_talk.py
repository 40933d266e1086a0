"""A direct conversation: send, receive, list, receipts, offline, reconnect."""

from uuid import UUID, uuid4

from tests.harness.people import People
from tests.harness.proxy import Proxy
from tests.harness.rest import refused


async def test_a_message_goes_from_ana_to_ben(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("hi", to=conversation)
        [message] = await ben.history(conversation)
        assert message["id"] == ack["message_id"]
        assert message["content"] == "hi"
        assert message["sequence"] == ack["sequence"]
        assert message["sender_user_id"] == ana.id
        assert message["created_at"] == ack["created_at"]
        assert UUID(message["id"]).version == 7


async def test_ben_and_the_sending_socket_receive_it_live(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("hi", to=conversation)
        for device in (ben, ana):
            frame = await device.receives("new_message", content="hi", sender=ana)
            assert frame["sequence"] == ack["sequence"] == frame["message"]["sequence"]
            assert frame["message"]["id"] == ack["message_id"]
        await ana.hears_everything_from(ben, in_=conversation)
        assert len(ana.heard("new_message", content="hi")) == 1
        assert len(ben.heard("new_message", content="hi")) == 1


async def test_the_conversation_is_in_both_lists_with_its_last_message(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        conversation = await ana.talks_to(ben)
        await ana.sends("hi", to=conversation)
        [anas] = await ana.lists_conversations()
        [bens] = await ben.lists_conversations()
        assert anas["id"] == bens["id"] == conversation["id"]
        assert anas["last_message"]["content"] == bens["last_message"]["content"] == "hi"
        assert (anas["unread_count"], bens["unread_count"]) == (0, 1)
        assert (anas["display_name"], bens["display_name"]) == ("Ben", "Ana")
        assert await cleo.lists_conversations() == []


async def test_ben_receives_the_conversation_that_ana_opens(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        for device in (ana, ben):
            created = await device.receives("conversation_created", conversation=conversation)
            assert created["sequence"] == 1
        assert created["conversation"]["display_name"] == "Ana"


async def test_the_status_turns_delivered_and_then_read(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("hi", to=conversation)
        assert await status_for(ana, ack) == "sent"

        await ben.receives("new_message", content="hi")
        await ben.says("delivery_receipt", message_id=ack["message_id"])
        delivered = await ana.receives("message_delivered", user=ben, conversation=conversation)
        assert delivered["up_to_sequence"] == ack["sequence"]
        assert delivered["message_id"] == ack["message_id"]
        assert delivered["delivered_at"].endswith("Z")
        assert await status_for(ana, ack) == "delivered"

        await ben.says("read_receipt", conversation_id=conversation["id"], sequence=ack["sequence"])
        read = await ana.receives("message_read", reader=ben, conversation=conversation)
        assert read["up_to_sequence"] == ack["sequence"]
        assert await status_for(ana, ack) == "read"

        assert (await ben.looks_at(conversation))["unread_count"] == 0
        [receipt] = await ana.gets(f"/messages/{ack['message_id']}/receipts")
        assert receipt["user_id"] == ben.id
        assert receipt["delivered_at"] <= receipt["read_at"]


async def status_for(device, ack) -> str:
    return (await device.gets(f"/messages/{ack['message_id']}"))["status"]


async def test_a_phone_that_was_offline_catches_up(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        seen = await ana.sends("before", to=conversation)
        await ben.receives("new_message", content="before")
        await ben.disconnects()

        for text in ("one", "two", "three"):
            await ana.sends(text, to=conversation)
        await ben.connects()
        complete = await ben.asks("sync", cursors={conversation["id"]: seen["sequence"]})

        assert [frame["message"]["content"] for frame in ben.heard("new_message")] == ["one", "two", "three"]
        head = seen["sequence"] + 3
        assert complete["heads"] == {conversation["id"]: head}
        assert complete["resync"] == []
        await ana.sends("four", to=conversation)
        assert (await ben.receives("new_message", content="four"))["sequence"] == head + 1


async def test_a_dropped_connection_comes_back_and_misses_nothing(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben), Proxy(ben.server.port) as tunnel:
        await ana.connects()
        await ben.connects(via=tunnel)
        conversation = await ana.talks_to(ben)
        seen = await ana.sends("before", to=conversation)
        await ben.receives("new_message", content="before")

        tunnel.refuse()
        await ben.is_closed()
        await ana.sends("while ben is in the tunnel", to=conversation)
        tunnel.heal()
        await ben.connects(via=tunnel)
        await ben.asks("sync", cursors={conversation["id"]: seen["sequence"]})
        await ben.receives("new_message", content="while ben is in the tunnel")


async def test_both_people_receive_alternating_messages_in_order(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        for number in range(10):
            speaker = (ana, ben)[number % 2]
            await speaker.sends(str(number), to=conversation)
        for device in (ana, ben):
            await device.receives("new_message", content="9")
            frames = device.heard("new_message")
            assert [frame["message"]["content"] for frame in frames] == [str(number) for number in range(10)]
            assert [frame["sequence"] for frame in frames] == list(range(2, 12))


async def test_a_direct_conversation_opened_by_both_exists_once(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        status, first = await ana.request("POST", "/conversations", {"type": "direct", "participant_ids": [ben.id]})
        again, second = await ben.request("POST", "/conversations", {"type": "direct", "participant_ids": [ana.id]})
        assert (status, again) == (201, 200)
        assert first["id"] == second["id"]


async def test_a_stranger_receives_nothing_and_cannot_send(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        conversation = await ana.talks_to(ben)
        with_eve = await eve.talks_to(ben)
        with refused("not_found"):
            await eve.sends("hi", to=conversation)
        ack = await ana.sends("secret", to=conversation)
        for path in (f"/messages/{ack['message_id']}", f"/conversations/{conversation['id']}/messages"):
            with refused("not_found", status=404):
                await eve.gets(path)
        await ben.receives("new_message", content="secret")
        await eve.hears_everything_from(ben, in_=with_eve)
        eve.has_not_heard("new_message", conversation=conversation)
        eve.has_not_heard("conversation_created", conversation=conversation)


async def test_a_location_arrives_with_its_metadata(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        location = {"latitude": 52.52, "longitude": 13.405, "label": "Here"}
        await ana.sends("", to=conversation, message_type="location", metadata=location)
        frame = await ben.receives("new_message", message_type="location")
        assert frame["message"]["metadata"] == location


async def test_a_reply_carries_the_id_of_the_original(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        question = await ana.sends("when?", to=conversation)
        await ben.sends("at eight", to=conversation, reply_to_id=question["message_id"])
        await ana.receives("new_message", content="at eight", reply_to_id=question["message_id"])


async def test_text_of_every_script_arrives_as_it_was_sent(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        for text in (
            "Grüße, 你好, שלום, नमस्ते",
            "👩‍👩‍👧‍👦🏳️‍🌈",
            "<b>&amp;\"'\\",
            "  lines\n\tand blanks  ",
            "x" * 10_000,
        ):
            ack = await ana.sends(text, to=conversation)
            assert (await ben.receives("new_message", id=ack["message_id"]))["message"]["content"] == text
            assert (await ben.gets(f"/messages/{ack['message_id']}"))["content"] == text


async def test_the_same_message_sent_twice_is_one_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        mine = str(uuid4())
        first = await ana.sends("once", to=conversation, client_message_id=mine)
        second = await ana.sends("once", to=conversation, client_message_id=mine)
        for name in ("message_id", "sequence", "created_at"):
            assert second[name] == first[name]
        assert second["duplicate"] is True
        assert not first.get("duplicate")
        await ben.hears_everything_from(ana, in_=conversation)
        assert len(ben.heard("new_message", content="once")) == 1
