"""The pictures of the README. `CHATSITE_PICTURES=docs/images` renews them; otherwise they are discarded."""

import datetime
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Arrives
from tests.browser.visitor import PHONE, Visitor
from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.servers import Site
from tests.waiting import DEADLINE

PEOPLE = {
    "ana": "Ana Horvat",
    "ben": "Ben Okafor",
    "cleo": "Cleo Martin",
    "dan": "Dan Lindqvist",
    "mira": "Mira Sato",
    "noor": "Noor Haddad",
    "tom": "Tom Reyes",
}
LAUNCH = (
    ("cleo", -1, "16:42", "New screenshots are in. The dark ones are my favourite."),
    ("ana", -1, "16:45", "They are beautiful. Can we use the second one on the front page?"),
    ("cleo", -1, "16:46", "Already there 🙂"),
    ("dan", 0, "9:12", "Morning! I pulled the network cable twice during the demo."),
    ("dan", 0, "9:12", "Every message was there when it came back."),
    ("ben", 0, "9:15", "As it should be."),
    ("ana", 0, "9:20", "That goes into the release notes, word for word 📝"),
    ("ana", 0, "9:21", "Ship it at eleven?"),
    ("ben", 0, "9:24", "Eleven works. Notes are at https://example.org/notes"),
    ("cleo", 0, "9:31", "Lunch afterwards to celebrate? I booked us a table."),
    ("cleo", 0, "9:31", "PLACE"),
    ("ana", 0, "9:33", "Perfect, see you all there."),
)
ASIDE = (
    ("Sunday hike", ("mira", "noor", "tom"), (("noor", 0, "8:51", "Sun until four, says the forecast ☀️"),)),
    ("", ("ben",), (("ana", 0, "8:20", "Train is late again, start without me"), ("ben", 0, "8:22", "Will do"))),
    (
        "",
        ("mira",),
        (
            ("mira", 0, "9:05", "Did you see the tests?"),
            ("mira", 0, "9:06", "All green on both databases"),
            ("mira", 0, "9:06", "🎉"),
        ),
    ),
    ("", ("noor",), (("ana", -1, "19:10", "Thanks for the book, I am at chapter nine already"),)),
    ("Design", ("cleo", "tom"), (("tom", -1, "15:02", "Bubbles, eighteen pixels. My last word."),)),
    ("", ("tom",), (("tom", -2, "12:30", "Coffee machine is fixed!"),)),
)


def picture(name: str, folder: Path) -> Path:
    """Return the path of a picture."""
    return Path(os.environ.get("CHATSITE_PICTURES") or folder) / name


class Story:
    """Sends messages of several people and sets their times."""

    def __init__(self, site: Site, devices: dict[str, Device]) -> None:
        self.devices = devices
        self.database = Path(site.environment["DATA_DIR"]) / "chatsite.sqlite3"

    async def tells(self, conversation: Any, lines: tuple[tuple[str, int, str, str], ...]) -> list[Any]:
        """Send the lines, and set the time of each."""
        said = []
        for name, day, time, text in lines:
            body = {"conversation_id": conversation["id"], "content": text}
            if text == "PLACE":
                location = {"latitude": 52.50131, "longitude": 13.41862, "label": "Café Linden, garden side"}
                body |= {"content": "", "message_type": "location", "metadata": location}
            if text.startswith("That goes into"):
                body["reply_to_id"] = said[4]["id"]
            message = await self.devices[name].posts("/messages", body)
            self.moves(message["id"], day, time)
            said.append(message)
        return said

    def moves(self, message_id: str, day: int, time: str) -> None:
        hours, minutes = time.split(":")
        today = datetime.datetime.now(datetime.UTC).replace(hour=int(hours), minute=int(minutes), second=0)
        moment = (today + datetime.timedelta(days=day)).strftime("%Y-%m-%d %H:%M:%S.%f")
        with sqlite3.connect(self.database, timeout=DEADLINE) as database:
            database.execute(
                "UPDATE messaging_message SET created_at = ? WHERE id = ?", (moment, message_id.replace("-", ""))
            )
        database.close()


async def reads(device: Device, conversation: Any, sequence: int) -> None:
    """Send a read receipt up to a sequence."""
    await device.says("read_receipt", conversation_id=conversation["id"], sequence=sequence)


async def tell_the_story(site: Site, people: People, devices: dict[str, Device]) -> Any:
    for name, device in devices.items():
        await device.patches("/users/me", {"display_name": PEOPLE[name]})
    ana = devices["ana"]
    story = Story(site, devices)
    launch = await ana.gathers(devices["ben"], devices["cleo"], devices["dan"], name="Launch week")
    for message in await ana.history(launch):
        story.moves(message["id"], -1, "16:40")
    said = await story.tells(launch, LAUNCH)
    for name in ("ben", "cleo", "dan"):
        await reads(devices[name], launch, said[-1]["sequence"] - (0 if name != "dan" else 1))
    for name, others, lines in ASIDE:
        company = [devices[other] for other in others]
        talk = await (ana.gathers(*company, name=name) if name else ana.talks_to(company[0]))
        heard = await story.tells(talk, lines)
        for other in company:
            await reads(other, talk, heard[-1]["sequence"])
        if others != ("mira",) and name != "Sunday hike":
            await ana.posts(f"/messages/{heard[-1]['id']}/read")
    await devices["dan"].says("delivery_receipt", conversation_id=launch["id"], sequence=said[-1]["sequence"])
    await ana.posts(f"/messages/{said[-1]['id']}/read")
    return launch


async def settles(visitor: Visitor) -> None:
    """Wait until the scene is complete: people present, and Cleo typing."""
    await expect(visitor.page.locator(".typing-bubble")).to_be_visible()
    await visitor.page.wait_for_timeout(600)


@pytest.mark.long
async def test_the_pictures_of_the_readme_are_taken(starts_site: Callable[..., Site], arrives: Arrives, tmp_path: Path):
    site = starts_site("embedded")
    people = People(site)
    async with people(*PEOPLE) as present:
        devices = dict(zip(PEOPLE, present, strict=True))
        launch = await tell_the_story(site, people, devices)
        await devices["tom"].disconnects()
        await devices["noor"].says("presence_update", status="away")
        await devices["ana"].disconnects()
        options: dict[str, Any] = {"locale": "en-GB", "timezone_id": "UTC"}
        port = site.servers[0].port

        desktop = await arrives(port, viewport={"width": 1280, "height": 820}, device_scale_factor=2, **options)
        await desktop.signs_in(devices["ana"])
        await desktop.opens("Launch week")
        await devices["cleo"].says("typing", conversation_id=launch["id"], is_typing=True)
        await settles(desktop)
        await desktop.page.screenshot(path=picture("chatsite.png", tmp_path))

        phone = await arrives(port, color_scheme="dark", **(PHONE | options))
        await phone.signs_in(devices["ana"])
        await phone.opens("Launch week")
        await devices["cleo"].says("typing", conversation_id=launch["id"], is_typing=True)
        await settles(phone)
        await phone.page.screenshot(path=picture("phone.png", tmp_path))
        assert (tmp_path / "phone.png").exists() or "CHATSITE_PICTURES" in os.environ
        for device in devices.values():
            device.takes_all()
