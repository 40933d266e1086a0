"""25: after a deletion the text is in no table, key, event, answer, log or file."""

from collections.abc import Callable

from tests.harness.people import People
from tests.harness.servers import Profile, Site
from tests.security.stores import everything_in, files_of, fold_write_ahead_log

CANARIES = ("canary-first-words", "canary-second-words", "canary-in-metadata")
LONG = " and so on" * 900  # more than a page of SQLite


async def test_a_deleted_text_is_nowhere(starts_site: Callable[..., Site], profile: Profile) -> None:
    site = starts_site(profile, settings={"LOG_LEVEL": "DEBUG"})
    async with People(site)("ana", "ben") as (ana, ben):
        group = await ana.gathers(ben)
        sent = await ana.sends(CANARIES[0] + LONG, to=group, metadata={"note": CANARIES[2]})
        path = f"/messages/{sent['message_id']}"
        quoting = await ben.sends("a reply", to=group, reply_to_id=sent["message_id"])
        await ana.patches(path, {"content": CANARIES[1] + LONG})
        await ben.receives("message_updated")
        await ben.says("read_receipt", message_id=quoting["message_id"])
        await ana.receives("message_read")
        assert CANARIES[1] in everything_in(site), "everything_in does not find stored texts"
        assert CANARIES[0] not in everything_in(site), "an edit must leave nothing of the old text"
        await ana.deletes(path, **{"for": "everyone"})
        deleted = await ben.receives("message_deleted")
        assert no_canary_in(str(deleted))
        assert no_canary_in(everything_in(site))
        await ben.connects()
        await ben.asks("sync", cursors={group["id"]: 1}, since="2020-01-01T00:00:00Z")
        answers = [
            ben.all_heard(),
            *[
                await ben.gets(address)
                for address in (
                    path,
                    f"{path}/receipts",
                    f"/conversations/{group['id']}",
                    f"/conversations/{group['id']}/messages",
                    f"/conversations/{group['id']}/events",
                    "/conversations",
                )
            ],
            await ben.posts("/sync", {"cursors": {group["id"]: 1}}),
        ]
        assert no_canary_in(str(answers))
        # The sender gets the tombstone, too.
        assert no_canary_in(str(await ana.gets(path)))
    assert no_canary_in("".join(server.log() for server in site.servers))
    if profile == "embedded":
        fold_write_ahead_log(site)
        assert no_canary_in("".join(file.read_bytes().decode("latin-1") for file in files_of(site)))


def no_canary_in(text: str) -> bool:
    found = [canary for canary in CANARIES if canary in text]
    assert not found, f"{found} in {text[max(0, text.find(found[0]) - 300) :][:700]}"
    return True
