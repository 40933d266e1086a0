"""Mail about unread messages and test pushes, end to end."""

import pytest

from tests.harness.http import http_client
from tests.harness.people import People
from tests.harness.product import manage
from tests.harness.providers.smtp import parsed
from tests.pushing.failures import on_one
from tests.pushing.stage import Stage, has_iphone, writes


async def test_unread_messages_bring_one_mail_that_can_be_unsubscribed(stage: Stage, people: People) -> None:
    smtp = stage.providers.smtp
    async with people("ana", "ben", connected=False) as (ana, ben):
        address = f"{ben.username}@example.org"
        await ben.patches("/users/me", {"email": address})
        talk = await ana.talks_to(ben)
        await writes(ana, talk, "<b>first</b>")
        await writes(ana, talk, "second")
        (mail,) = smtp.arrives(to=address)
        told = parsed(mail)
        assert told["Subject"] in ("1 unread message", "2 unread messages")
        assert "first" not in mail.content
        link = told["List-Unsubscribe"].strip().strip("<>")
        token = link.rsplit("/", 1)[1]
        async with http_client(base_url=stage.site.servers[0].http) as browser:
            answer = await browser.post(f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert (await ben.gets("/notifications/preferences"))["email"] is False
        assert len(smtp.delivered(address)) == 1


@on_one
async def test_a_test_push_by_staff_reports_what_the_provider_answered(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    async with people("ben", connected=False) as (ben,):
        with pytest.raises(RuntimeError, match="has no device"):
            manage(["send_test_push", ben.username], stage.site.environment)
        phone = await has_iphone(ben, apns)
        await ben.patches("/notifications/preferences", {"push": False})
        said = manage(["send_test_push", ben.username.upper()], stage.site.environment)
        assert "Taken by the provider" in said
        (push,) = apns.arrives(token=phone)
        assert push.payload["aps"]["alert"]["title"] == "Chatsite: test"
        apns.fails(400, token=phone, reason="BadDeviceToken")
        with pytest.raises(RuntimeError, match="BadDeviceToken"):
            manage(["send_test_push", ben.username], stage.site.environment)
        assert len(apns.delivered(phone)) == 1
