"""A staff member in the admin of a running server, who sends forms as a browser does."""

from typing import Any, Self

from tests.harness.device import PASSWORD, Device
from tests.harness.http import http_client

USERS = "/admin/accounts/user/"
SESSIONS = "/admin/accounts/devicesession/"


class Staff:
    """A person who gets all rights directly in the database."""

    def __init__(self, person: Device) -> None:
        self.person = person
        self._browser = http_client(base_url=person.server.http)

    async def __aenter__(self) -> Self:
        rights = "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE id = %s RETURNING 1"
        self.person.site.rows(rights, self.person.site.stored_id(self.person.id))
        await self._browser.get("/admin/login/")
        await self.fills("/admin/login/", username=self.person.username, password=PASSWORD, next="/admin/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._browser.aclose()
        await self.person.leaves()

    async def opens(self, path: str) -> str:
        """Return a page."""
        answer = await self._browser.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    async def fills(self, path: str, **fields: Any) -> None:
        """Send a form, which must be accepted."""
        token = self._browser.cookies["csrftoken"]
        answer = await self._browser.post(path, data=fields | {"csrfmiddlewaretoken": token})
        assert answer.status_code == 302, (path, answer.status_code, answer.text[:2000])

    async def acts(self, action: str, user: Device) -> None:
        """Run an action on a user in the list of users."""
        await self.fills(USERS, action=action, _selected_action=user.id)

    async def revokes_newest_session_of(self, user: Device) -> None:
        """Run the action "revoke" on the newest session of a user in the list of device sessions."""
        newest = max(session["id"] for session in (await user.gets("/auth/sessions"))["results"])
        await self.fills(SESSIONS, action="revoke", _selected_action=newest)

    async def gives_password(self, user: Device, password: str) -> None:
        """Set a new password for a user."""
        form = {"usable_password": "true", "password1": password, "password2": password, "set-password": ""}
        await self.fills(f"{USERS}{user.id}/password/", **form)
