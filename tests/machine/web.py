"""The web client's state and replica (static/js), run by Node: see web_client.mjs."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.harness import binaries
from tests.machine import views
from tests.machine.facts import Shown
from tests.machine.model import Model
from tests.machine.translator import Translator
from tests.waiting import DEADLINE

Job = dict[str, Any]


class WebClients:
    """The Node process with all web clients of the machine."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("web_client.mjs")
        self._process = subprocess.Popen(
            [binaries.node(), script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def turn(self, jobs: list[Job]) -> dict[str, Any]:
        """Let clients do jobs; return their requests to the server (wishes), and replies.

        :raises AssertionError: the process has ended; the reason is on its standard error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the web clients' process ended"
        turned: dict[str, Any] = json.loads(line)
        return turned

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(DEADLINE)


def shows(translator: Translator, model: Model, shown: dict[str, Any], viewer: str) -> tuple[list[Shown], list[Shown]]:
    """Return what a web client shows and what it must show, as far back as it has loaded each conversation.

    It computes the status of own messages only, and does not use the status of the last message.
    """
    assert shown["link"] == "online", shown["link"]
    assert shown["repairs"] == {}, shown["repairs"]
    mine, theirs, from_ = [], [], {}
    for conversation in shown["conversations"]:
        body = translator.conversation(conversation)
        from_[body["label"]] = conversation["covers_from"]
        talk = model.conversations[body["label"]]
        bubbles = [
            translator.message(each["message"]) | {"status": each["delivery"]} for each in conversation["bubbles"]
        ]
        mine.append(_with_bubbles(views.as_clients_know(body, talk, viewer), bubbles))
    for label in views.listed(model, viewer):
        talk = model.conversations[label]
        messages = [views.message(talk, each, viewer) for each in views.visible(talk, viewer)]
        bubbles = [
            each if each["sender"] == viewer else each | {"status": None}
            for each in messages
            if each["sequence"] >= from_.get(label, 1)
        ]
        theirs.append(_with_bubbles(views.as_clients_know(views.body(talk, viewer), talk, viewer), bubbles))
    return mine, theirs


def _with_bubbles(body: Shown, bubbles: list[Shown]) -> Shown:
    last = body["last_message"]
    return body | {"bubbles": bubbles, "last_message": last and last | {"status": None}}
