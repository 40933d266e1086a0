"""The reference client is itself right, and says so when it is not."""

import zlib
from typing import Any

import pytest

from tests.harness.conversation import Conversation
from tests.harness.people import People
from tests.harness.replica import Replica, checksum
from tests.harness.servers import Site
from tests.harness.snapshots import differences


def a_conversation(**changes: Any) -> Conversation:
    people = [
        {
            "user_id": name,
            "role": role,
            "can_send_messages": True,
            "joined_at": "t",
            "last_read_sequence": 0,
            "last_delivered_sequence": 0,
        }
        for name, role in (("ana", "owner"), ("ben", "member"))
    ]
    body = {
        "id": "c",
        "type": "group",
        "name": "Trip",
        "display_name": "Trip",
        "last_sequence": 1,
        "participants": people,
        "participant_count": 2,
        "me": {},
        "my_permissions": [],
    }
    return Conversation("ana", body | changes, [])


def said(sequence: int, sender: str | None, **changes: Any) -> dict[str, Any]:
    message = {"sequence": sequence, "sender_user_id": sender, "content": "x", "mentions": [], "status": "sent"}
    message |= {"deleted_at": None} | changes
    return {"type": "new_message", "conversation_id": "c", "sequence": sequence, "message": message}


def test_an_event_out_of_order_is_not_applied() -> None:
    with pytest.raises(AssertionError, match="came after 1"):
        a_conversation().apply(said(3, "ben"))


def test_unread_counts_others_messages_after_the_position_without_system_and_deleted_ones() -> None:
    conversation = a_conversation()
    for sequence, sender in ((2, "ben"), (3, "ana"), (4, None), (5, "ben")):
        conversation.apply(said(sequence, sender))
    conversation.apply(said(6, "ben", deleted_at="2026-01-01T00:00:00Z"))
    assert conversation.shown()["unread_count"] == 2
    conversation.mark("ana", "last_read_sequence", 2)
    assert conversation.shown()["unread_count"] == 1


def test_mentions_are_counted_as_they_are_shown() -> None:
    conversation = a_conversation()
    of_ana, of_ben = ([{"user_id": name, "offset": 0, "length": 1}] for name in ("ana", "ben"))
    for sequence, sender, mentions in ((2, "ben", of_ana), (3, "ana", of_ana), (4, "ben", of_ben + of_ana * 2)):
        conversation.apply(said(sequence, sender, mentions=mentions))
    assert conversation.shown()["mention_count"] == 2
    edited = said(4, "ben", mentions=of_ben) | {"type": "message_updated", "sequence": 5}
    conversation.apply(edited)
    assert conversation.shown()["mention_count"] == 1
    conversation.mark("ana", "last_read_sequence", 2)
    assert conversation.shown()["mention_count"] == 0


def test_marks_do_not_go_back_and_make_the_status() -> None:
    conversation = a_conversation()
    conversation.apply(said(2, "ana"))
    for mark, status in (("last_delivered_sequence", "delivered"), ("last_read_sequence", "read")):
        conversation.mark("ben", mark, 2)
        conversation.mark("ben", mark, 1)
        assert conversation.shown()["messages"][0]["status"] == status


def test_an_unknown_event_moves_the_cursor_only() -> None:
    conversation = a_conversation()
    before = conversation.shown()
    conversation.apply({"type": "invented_later", "conversation_id": "c", "sequence": 2})
    assert differences(before, conversation.shown()) == ["/last_sequence: 1 != 2"]


def test_differences_are_found_at_any_depth() -> None:
    mine = {"a": {"b": [1, {"c": 2}]}, "same": 1}
    assert differences(mine, {"a": {"b": [1, {"c": 3}]}, "same": 1}) == ["/a/b/1/c: 2 != 3"]
    assert differences(mine, {"a": {"b": [1]}, "same": 1}) == ["/a/b: [1, {'c': 2}] != [1]"]
    assert differences(mine, {**mine, "more": 0}) == ["/more: '(absent)' != 0"]
    assert differences(mine, mine) == []


def test_the_checksum_is_a_sum_of_crc32_over_conversations() -> None:
    assert checksum({}) == 0
    assert checksum({"x": 7}) == zlib.crc32(b"x:7")
    assert checksum({"x": 7, "y": 8}) == (zlib.crc32(b"x:7") + zlib.crc32(b"y:8")) % 2**32


@pytest.mark.parametrize("lost", ["new_message", "message_read"])
async def test_a_replica_that_lost_something_does_not_agree(people: People, lost: str) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        device = ben if lost == "new_message" else ana
        async with Replica(device, loses=lambda frame: frame["type"] == lost) as replica:
            ack = await ana.posts_message("hi", to=conversation)
            await ben.posts(f"/messages/{ack['id']}/read")
            with pytest.raises(AssertionError, match="replica != fetch"):
                await replica.agrees(within=1)
            assert replica.lost


async def test_a_replica_that_is_cut_off_says_so(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        await ana.talks_to(ben)
        async with Replica(ben) as replica:
            await ben.vanishes()
            with pytest.raises(Exception, match=r"socket|connect"):
                await replica.catches_up()


async def test_a_traceback_in_a_log_is_noticed(site: Site) -> None:
    server = site.servers[0]
    with pytest.raises(AssertionError, match="logged"):
        with site.clean_logs():
            with server.log_file.open("a") as log:
                log.write("Traceback (most recent call last):\n  planted by a test\n")
    kept = server.log_file.read_text().replace("Traceback (most recent call last):\n  planted by a test\n", "")
    with server.log_file.open("r+") as log:  # the same file, which the server goes on writing to
        log.truncate(0)
        log.write(kept)
