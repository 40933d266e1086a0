"""REST offers what the socket offers, with the same outcome."""

from uuid import uuid4

from tests.harness.people import People
from tests.harness.rest import refused


async def test_a_message_over_rest_arrives_like_any_other(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        message = await ana.posts_message("hello by post", to=conversation)
        frame = await ben.receives("new_message", content="hello by post")
        assert frame["message"] | {"status": ""} == message | {"status": ""}
        assert message["status"] == "sent"


async def test_a_client_without_a_socket_can_take_part(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        conversation = await ana.talks_to(ben)
        message = await ana.posts_message("hi", to=conversation)
        await ben.posts(f"/messages/{message['id']}/delivered")
        await ben.posts(f"/messages/{message['id']}/read")
        assert (await ana.gets(f"/messages/{message['id']}"))["status"] == "read"
        missed = await ben.posts("/sync", {"cursors": {conversation["id"]: 1}})
        assert [event["message"]["content"] for event in missed["events"][conversation["id"]]] == ["hi"]
        assert missed["heads"] == {conversation["id"]: 2}
        assert missed["complete"] is True


async def test_the_nested_messages_route_sends_too(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        status, message = await ana.request(
            "POST", f"/conversations/{conversation['id']}/messages", {"content": "nested"}
        )
        assert status == 201, message
        await ben.receives("new_message", id=message["id"])


async def test_a_resend_over_the_other_transport_is_recognised(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        mine = str(uuid4())
        ack = await ana.sends("once", to=conversation, client_message_id=mine)
        body = {"conversation_id": conversation["id"], "content": "once", "client_message_id": mine}
        status, message = await ana.request("POST", "/messages", body)
        assert (status, message["id"]) == (200, ack["message_id"])

        mine = str(uuid4())
        message = await ana.posts_message("twice", to=conversation, client_message_id=mine)
        ack = await ana.sends("twice", to=conversation, client_message_id=mine)
        assert ack["message_id"] == message["id"]
        assert ack["duplicate"] is True
        assert [each["content"] for each in await ben.history(conversation)] == ["once", "twice"]


async def test_a_client_message_id_used_for_something_else_is_a_conflict(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        mine = str(uuid4())
        await ana.sends("this", to=conversation, client_message_id=mine)
        with refused("idempotency_conflict"):
            await ana.sends("that", to=conversation, client_message_id=mine)
        with refused("idempotency_conflict", status=409):
            await ana.posts_message("that", to=conversation, client_message_id=mine)
        await ben.sends("this", to=conversation, client_message_id=mine)  # it is per sender
        assert [each["content"] for each in await ben.history(conversation)] == ["this", "this"]


async def test_unknown_fields_are_named_in_the_error(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        body = {"conversation_id": conversation["id"], "content": "hi", "colour": "red"}
        status, error = await ana.request("POST", "/messages", body)
        assert (status, error["code"]) == (400, "invalid")
        assert "colour" in error["fields"]
        frame = await ana.hears_error_of(
            "send_message",
            conversation_id=conversation["id"],
            content="hi",
            client_message_id=str(uuid4()),
            colour="red",
        )
        assert "colour" in frame["fields"]


async def test_the_limits_can_be_read(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        limits = await ana.gets("/limits")
        assert limits["text_code_points"] == 10_000
        assert limits["typing_lease_seconds"] == 3
        assert limits["catch_up_events"] == 1_000


async def test_too_long_a_text_is_refused_over_both_transports(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        body = {"conversation_id": conversation["id"], "content": "x" * 10_001}
        status, error = await ana.request("POST", "/messages", body)
        assert (status, error["code"]) in ((400, "invalid"), (413, "too_large"))
        frame = await ana.hears_error_of(
            "send_message", conversation_id=conversation["id"], content="x" * 10_001, client_message_id=str(uuid4())
        )
        assert frame["code"] == error["code"]
        assert await ben.history(conversation) == []


async def test_people_and_their_presence_are_read_at_once(people: People) -> None:
    async with people("ana", "ben", "cleo", "eve") as (ana, ben, cleo, eve):
        await ana.talks_to(ben)
        await ana.talks_to(cleo)
        await ben.says("presence_update", status="busy", activity="reading")
        await ana.receives("presence", user=ben, status="busy")
        await cleo.puts("/users/status", {"status": "invisible"})
        await ana.puts("/users/status", {"status": "invisible"})
        ids = ",".join(each.id for each in (ben, cleo, eve, ana, ben))
        found = {each["id"]: each["username"] for each in (await ana.gets("/users", ids=ids))["results"]}
        assert found == {each.id: each.username for each in (ana, ben, cleo, eve)}
        shown = {each.pop("user_id"): each for each in (await ana.gets("/presence", user_ids=ids))["results"]}
        assert shown.keys() == {ana.id, ben.id, cleo.id}, "eve shares no conversation"
        assert (shown[ben.id]["status"], shown[ben.id]["activity"]) == ("busy", "reading")
        assert (shown[cleo.id]["status"], shown[ana.id]["status"]) == ("offline", "invisible")
        with refused("invalid", status=400):
            await ana.gets("/users", ids=",".join([ben.id] * 101))
