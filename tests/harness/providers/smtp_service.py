"""The process of the mail server: aiosmtpd, with the ordered faults before each answer."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.harness.providers.certificates import server_context
from tests.harness.providers.faults import Fault, Faults
from tests.harness.providers.http2 import reset
from tests.harness.providers.journal import Entry, Journal
from tests.harness.providers.server import control, run


class Mailbox:
    """Takes mails as aiosmtpd's handler; the names of the methods are aiosmtpd's."""

    def __init__(self, facts: dict[str, Any], journal: Journal) -> None:
        self.facts = facts
        self.faults = Faults()
        self.opened = 0
        self._journal = journal
        self._seen: dict[tuple[str, str], float] = {}  # when a pair of sender and recipient was first put off

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or refuse it for good or for now."""
        fault = self.faults.take(address.lower())
        if fault is None and (wait := self.facts["grey"]) is not None:
            pair = (envelope.mail_from or "", address)
            if time.time() - self._seen.setdefault(pair, time.time()) < wait:
                fault = Fault(451, reason="4.7.1 Greylisted, please try again later")
        status = await self._apply_fault(server, session, envelope, [*envelope.rcpt_tos, address], fault)
        if status:
            return status
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        if fault is not None and fault.kind == "cut":
            server.cut_after_data = True  # type: ignore[attr-defined]
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        cut = getattr(server, "cut_after_data", False)
        content = cast(bytes, envelope.content)
        entry = self._entry(session, envelope, envelope.rcpt_tos) | {
            "content": content.decode("utf-8", "surrogateescape"),
            "status": None if cut else 250,
            "how": "cut" if cut else "answered",
            "delivered": True,
        }
        number = self._journal.add(entry)
        self._journal.flush()
        if cut:
            reset(cast(asyncio.Transport, server.transport))
            await asyncio.Event().wait()  # until aiosmtpd ends this connection's task
        return f"250 2.0.0 OK: queued as {number}"

    async def _apply_fault(
        self, server: SMTP, session: Session, envelope: Envelope, recipients: list[str], fault: Fault | None
    ) -> str:
        if fault is None or fault.kind == "cut":
            return ""
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return ""
        known = isinstance(fault.kind, int)
        entry = self._entry(session, envelope, recipients)
        entry |= {"content": "", "status": fault.kind if known else None, "delivered": False}
        self._journal.add(entry | {"how": "answered" if known else fault.kind})
        self._journal.flush()
        if known:
            return f"{fault.kind} {fault.reason or _reason(cast(int, fault.kind))}"
        if fault.kind == "reset":
            reset(cast(asyncio.Transport, server.transport))
        await asyncio.Event().wait()
        return ""

    def _entry(self, session: Session, envelope: Envelope, recipients: list[str]) -> Entry:
        login = session.auth_data
        return {
            "at": time.time(),
            "sender": envelope.mail_from or "",
            "recipients": list(recipients),
            "secure": session.ssl is not None,
            "user": login.login.decode() if session.authenticated and isinstance(login, LoginPassword) else "",
        }

    def command(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Execute a command of the test."""
        match asked.pop("do"):
            case "fails":
                self.faults.add(Fault(**asked))
            case "works":
                self.faults.clear()
            case "facts":
                self.facts.update(asked)
                self._seen.clear()
        return {"opened": self.opened}


def serve_mail(folder: Path, port: int) -> None:
    """Run a mail server until stopped."""

    async def start() -> None:
        stored = json.loads((folder / "settings.json").read_text())
        settings = stored["settings"]
        mailbox = Mailbox(stored["facts"], Journal(folder / "received.jsonl"))
        tls = server_context(settings["certificate"], settings["certificate_key"], [])

        def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any) -> AuthResult:
            good = isinstance(login, LoginPassword) and login.password.decode() == settings["password"]
            return AuthResult(success=good and login.login.decode() == settings["user"], handled=good, auth_data=login)

        def make_protocol() -> SMTP:
            mailbox.opened += 1
            return SMTP(
                mailbox, hostname="mail.example.org", tls_context=tls, authenticator=authenticate,
                auth_require_tls=True, enable_SMTPUTF8=True, timeout=60,
            )  # fmt: skip

        await asyncio.get_running_loop().create_server(make_protocol, "127.0.0.1", port)
        await control(folder, mailbox.command)

    run(start)


def _reason(status: int) -> str:
    return "5.1.1 No such user here" if status >= 500 else "4.3.0 Please try again later"
