"""Receipts: a position only rises, only participants change their own, and each change has its time."""

from tests.harness.people import People


async def test_a_receipt_covers_everything_before_it(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        acks = [await ana.sends(text, to=conversation) for text in ("one", "two", "three")]
        await ben.says("read_receipt", message_id=acks[1]["message_id"])
        read = await ana.receives("message_read", reader=ben)
        assert read["up_to_sequence"] == acks[1]["sequence"]
        statuses = [each["status"] for each in await ana.history(conversation)]
        assert statuses == ["read", "read", "sent"]
        assert (await ben.looks_at(conversation))["unread_count"] == 1


async def test_a_read_position_never_goes_back(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        acks = [await ana.sends(text, to=conversation) for text in ("one", "two")]
        await ben.says("read_receipt", message_id=acks[1]["message_id"])
        await ana.receives("message_read", up_to_sequence=acks[1]["sequence"])
        await ben.says("read_receipt", message_id=acks[0]["message_id"])
        await ben.says("delivery_receipt", message_id=acks[0]["message_id"])
        await ana.hears_everything_from(ben, in_=conversation)
        assert len(ana.heard("message_read")) == 1
        [ben_there] = [each for each in (await ana.looks_at(conversation))["participants"] if each["user_id"] == ben.id]
        assert ben_there["last_read_sequence"] == ben_there["last_delivered_sequence"] == acks[1]["sequence"]


async def test_a_read_position_never_passes_the_head(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("only", to=conversation)
        await ben.says("read_receipt", conversation_id=conversation["id"], sequence=1_000_000)
        await ben.asks("ping")
        await ana.sends("later", to=conversation)
        await ben.receives("new_message", content="later")
        [ben_there] = [each for each in (await ana.looks_at(conversation))["participants"] if each["user_id"] == ben.id]
        assert ben_there["last_read_sequence"] <= ack["sequence"]
        assert (await ana.history(conversation))[-1]["status"] == "sent"
        ben.takes_all()


async def test_a_read_receipt_counts_as_a_delivery_receipt(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("hi", to=conversation)
        await ben.posts(f"/messages/{ack['message_id']}/read")
        [receipt] = await ana.gets(f"/messages/{ack['message_id']}/receipts")
        assert receipt["delivered_at"] is not None
        assert receipt["read_at"] is not None


async def test_a_group_message_is_read_when_everybody_has_read_it(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        group = await ana.gathers(ben, cleo)
        ack = await ana.sends("all?", to=group)
        path = f"/messages/{ack['message_id']}"
        await ben.says("read_receipt", message_id=ack["message_id"])
        await ana.receives("message_read", reader=ben)
        assert (await ana.gets(path))["status"] == "sent"
        await cleo.says("delivery_receipt", message_id=ack["message_id"])
        await ana.receives("message_delivered", user=cleo)
        assert (await ana.gets(path))["status"] == "delivered"
        await cleo.says("read_receipt", message_id=ack["message_id"])
        await ana.receives("message_read", reader=cleo)
        assert (await ana.gets(path))["status"] == "read"
        receipts = {each["user_id"]: each for each in await ana.gets(f"{path}/receipts")}
        assert receipts.keys() == {ben.id, cleo.id}
        assert receipts[cleo.id]["delivered_at"] <= receipts[cleo.id]["read_at"]


async def test_receipts_of_a_former_member_are_refused(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        group = await ana.gathers(ben, eve)
        ack = await ana.sends("hi", to=group)
        await eve.deletes(f"/conversations/{group['id']}", mode="leave")
        for forged in (
            {"message_id": ack["message_id"]},
            {"conversation_id": group["id"], "sequence": ack["sequence"]},
        ):
            assert (await eve.hears_error_of("read_receipt", **forged))["code"] == "not_found"
            assert (await eve.hears_error_of("delivery_receipt", **forged))["code"] == "not_found"
        status, _ = await eve.request("POST", f"/messages/{ack['message_id']}/read")
        assert status == 404
        await ana.hears_everything_from(ben, in_=group)
        ana.has_not_heard("message_read")
        ana.has_not_heard("message_delivered")


async def test_the_time_of_a_receipt_is_the_servers(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("hi", to=conversation)
        await ben.says("read_receipt", message_id=ack["message_id"], read_at="1999-12-31T23:59:59Z")
        read = await ana.receives("message_read", reader=ben)
        assert read["read_at"] >= ack["created_at"]
