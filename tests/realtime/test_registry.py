"""What apps register, and what an app is told that registers wrongly or not at all."""

import pytest

from realtime.registry import NotRegistered, Registry, registry
from realtime.wire.frames import Connected, EventHidden, Ping, Pong


def test_a_declared_command_has_its_frame_its_handler_and_its_answers() -> None:
    mine = Registry()

    @mine.command(Ping, answers=[Pong])
    def answer(*_: object) -> None: ...

    declared = mine.commands["ping"]
    assert (declared.frame, declared.handler, declared.answers) == (Ping, answer, [Pong])


def test_a_command_declared_twice_is_refused_and_keeps_its_first_handler() -> None:
    before = registry.commands["ping"]
    with pytest.raises(RuntimeError, match="ping is declared twice"):
        registry.command(Ping)(lambda *_: None)
    assert registry.commands["ping"] is before


def test_every_subclass_of_frame_is_a_frame() -> None:
    frames = registry.frames
    assert (frames["connected"], frames["event_hidden"]) == (Connected, EventHidden)
    assert {"new_message", "sync_complete", "typing", "notification"} <= set(frames)
    assert "ping" not in frames


def test_a_missing_port_says_what_is_missing() -> None:
    with pytest.raises(NotRegistered, match=r"no event log.*register_log"):
        _ = Registry().log
    with pytest.raises(NotRegistered, match=r"no authenticator.*register_authenticator"):
        _ = Registry().authenticator
