"""A block between two users: neither writes to the other; everything else stays."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection

from accounts import selectors as people_selectors
from accounts.models import Block, User
from accounts.services import block_user, unblock_user
from conversations import selectors
from conversations.models import Conversation
from conversations.services import add_participants, start_direct
from messaging.models import Message
from messaging.services.change import delete_message_for_everyone, edit_message
from realtime.wire.errors import DomainError, Forbidden, Invalid, NotFound
from tests.making import at_once, direct, group, people, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> tuple[User, User]:
    ana, ben = people("ana", "ben")
    return ana, ben


def blocks(user: User, other: User) -> bool:
    return block_user(user_id=user.id, other_id=other.id)


def unblocks(user: User, other: User) -> None:
    unblock_user(user_id=user.id, other_id=other.id)


def may(user: User, conversation: Conversation) -> list[str]:
    return selectors.conversation_body(user.id, conversation.id).my_permissions


def test_after_a_block_neither_may_write_and_both_may_read(pair: tuple[User, User]) -> None:
    ana, ben = pair
    talk = direct(ana, ben)
    say(talk, ben, "before")
    assert blocks(ana, ben)
    for user in pair:
        with pytest.raises(Forbidden):
            say(talk, user)
        assert may(user, talk) == []
        assert selectors.conversation_body(user.id, talk.id).last_message.content == "before"
        assert start_direct(user=user, other_id=(ben if user is ana else ana).id) == (talk, False)
    unblocks(ana, ben)
    for user in pair:
        say(talk, user)
        assert may(user, talk) == ["send_messages"]


def test_a_block_forbids_edits_and_allows_deletions(pair: tuple[User, User]) -> None:
    ana, ben = pair
    sent = say(direct(ana, ben), ben, "before")
    blocks(ana, ben)
    with pytest.raises(Forbidden):
        edit_message(user_id=ben.id, message_id=sent.message_id, content="anyway")
    delete_message_for_everyone(user_id=ben.id, message_id=sent.message_id)
    assert Message.objects.get(id=sent.message_id).deleted_at is not None


def test_a_block_forbids_a_new_conversation(pair: tuple[User, User]) -> None:
    ana, ben = pair
    blocks(ana, ben)
    for user, other in (pair, pair[::-1]):
        with pytest.raises(Forbidden):
            direct(user, other)
    unblocks(ana, ben)
    assert may(ben, direct(ben, ana)) == ["send_messages"]


def test_mutual_blocks_are_lifted_separately(pair: tuple[User, User]) -> None:
    ana, ben = pair
    talk = direct(ana, ben)
    blocks(ana, ben)
    blocks(ben, ana)
    unblocks(ben, ana)
    assert may(ben, talk) == []
    unblocks(ana, ben)
    assert may(ben, talk) == ["send_messages"]


def test_repeated_and_mutual_blocks_log_one_event(pair: tuple[User, User]) -> None:
    ana, ben = pair
    talk = direct(ana, ben)
    before = Conversation.objects.get(id=talk.id).last_sequence
    assert (blocks(ana, ben), blocks(ana, ben), blocks(ben, ana)) == (True, False, True)
    after = Conversation.objects.get(id=talk.id)
    assert (after.last_sequence, after.blocked) == (before + 1, True)


def test_a_block_leaves_groups_writable(pair: tuple[User, User]) -> None:
    ana, ben = pair
    team = group(ana, ben)
    blocks(ana, ben)
    say(team, ben)
    assert "send_messages" in may(ben, team)


def test_a_blocked_pair_are_not_peers_until_unblocked(pair: tuple[User, User]) -> None:
    ana, ben = pair
    (cleo,) = people("cleo")
    group(ana, ben, cleo)
    everybody = [ana.id, ben.id, cleo.id]

    def peers() -> dict[str, set[str]]:
        names = {user.id: user.username for user in (ana, ben, cleo)}
        found = selectors.peers_of(everybody, most_participants=50)
        return {names[id]: {names[peer] for peer in mine} for id, mine in found.items()}

    blocks(ana, ben)
    assert peers() == {"ana": {"cleo"}, "ben": {"cleo"}, "cleo": {"ana", "ben"}}
    assert people_selectors.is_blocked_pair(ben.id, ana.id)
    unblocks(ana, ben)
    assert peers()["ana"] == {"ben", "cleo"}
    assert not people_selectors.is_blocked_pair(ben.id, ana.id)


def test_the_blocked_list_shows_only_own_blocks(pair: tuple[User, User]) -> None:
    ana, ben = pair
    (cleo,) = people("cleo")
    blocks(ana, ben)
    blocks(ana, cleo)
    assert [each.username for each in people_selectors.blocked_users(ana.id)] == ["cleo", "ben"]
    assert people_selectors.blocked_users(ben.id) == []


def test_blocking_oneself_or_an_unknown_user_is_refused(pair: tuple[User, User]) -> None:
    ana, ben = pair
    with pytest.raises(Invalid):
        blocks(ana, ana)
    ghost = User(username="ghost")
    with pytest.raises(NotFound):
        blocks(ana, ghost)
    unblocks(ana, ghost)
    unblocks(ana, ben)


@pytest.mark.django_db(transaction=True)
def test_a_conversation_started_during_a_block_is_closed(pair: tuple[User, User]) -> None:
    for number in range(10):
        ana, ben = people(f"ana{number}", f"ben{number}")
        at_once([partial(direct, ben, ana), partial(blocks, ana, ben)])
        with pytest.raises(Forbidden):
            say(direct(ben, ana), ben)


@pytest.mark.django_db(transaction=True)
def test_concurrent_blocks_and_unblocks_keep_the_conversation_consistent(pair: tuple[User, User]) -> None:
    ana, ben = pair
    talk = direct(ana, ben)

    def toggle(user: User, other: User) -> None:
        try:
            for _ in range(10):
                blocks(user, other)
                unblocks(user, other)
            if user is ana:
                blocks(user, other)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(toggle, ana, ben), threads.submit(toggle, ben, ana)]:
            done.result()
    assert Block.objects.count() == 1
    assert Conversation.objects.get(id=talk.id).blocked


def test_both_get_the_same_refusal(pair: tuple[User, User]) -> None:
    ana, ben = pair
    talk = direct(ana, ben)
    blocks(ana, ben)
    refusals = []
    for user in pair:
        with pytest.raises(DomainError) as refusal:
            say(talk, user)
        refusals.append(refusal.value.body())
    assert refusals[0] == refusals[1]


def test_a_blocked_pair_cannot_add_each_other_to_groups(pair: tuple[User, User]) -> None:
    ana, ben = pair
    (cleo,) = people("cleo")
    blocks(ana, ben)
    for user, other in (pair, pair[::-1]):
        with pytest.raises(Forbidden):
            group(user, cleo, other)
        team = group(user, cleo)
        with pytest.raises(Forbidden):
            add_participants(user_id=user.id, conversation_id=team.id, user_ids=[other.id])
    team = group(cleo, ana, ben)
    assert add_participants(user_id=cleo.id, conversation_id=team.id, user_ids=[ben.id]) == []


def test_blocks_per_user_are_limited(pair: tuple[User, User], limits: Any) -> None:
    ana, ben = pair
    cleo, dan = people("cleo", "dan")
    limits(blocks_per_person=2)
    blocks(ana, ben)
    blocks(ana, cleo)
    with pytest.raises(DomainError) as refusal:
        blocks(ana, dan)
    assert refusal.value.code == "conflict"
    assert not blocks(ana, ben), "an existing block stays"
    unblocks(ana, ben)
    assert blocks(ana, dan)
    assert blocks(dan, ana)
