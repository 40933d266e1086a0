"""Peers of a user: those who currently share a small conversation with them."""

import pytest

from conversations.selectors import peers_of
from conversations.services import leave
from tests.making import direct, group, people

pytestmark = pytest.mark.django_db


def test_peers_share_a_small_conversation_now() -> None:
    ana, ben, cleo, dan, eve = people("ana", "ben", "cleo", "dan", "eve")
    direct(ana, ben)
    group(ana, ben, cleo)
    group(ana, cleo, dan, eve, name="Too large")
    left = group(ana, dan)
    leave(user_id=dan.id, conversation_id=left.id)
    found = peers_of([ana.id, ben.id, dan.id], most_participants=3)
    assert found == {ana.id: {ben.id, cleo.id}, ben.id: {ana.id, cleo.id}, dan.id: set()}


def test_no_users_have_no_peers() -> None:
    assert peers_of([], most_participants=3) == {}
