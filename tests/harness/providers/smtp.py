"""A mail server that keeps what it is sent, and fails on demand."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from secrets import token_hex
from typing import Literal, TypedDict

from tests.harness.providers.double import Process
from tests.harness.providers.received import Mail
from tests.waiting import DEADLINE


class SmtpSettings(TypedDict):
    """What a sender needs. TLS (STARTTLS) and signing in are offered, not demanded; signing in needs TLS."""

    host: str
    port: int
    user: str
    password: str
    ca_file: str


class Smtp(Process[Mail]):
    """A mail server for every address there is."""

    name = "smtp"

    def __init__(self) -> None:
        super().__init__(Mail)
        self._settings = {"user": "chatsite", "password": token_hex(16)}
        self._facts = {"grey": None}

    def settings(self) -> SmtpSettings:
        """Return what a sender needs to reach it."""
        user, password = self._settings["user"], self._settings["password"]
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": user,
            "password": password,
            "ca_file": str(self.ca_file),
        }

    def fails(
        self,
        kind: int | Literal["slow", "reset", "cut", "silent"],
        *,
        to: str | None = None,
        times: int | None = None,
        seconds: float = 0.0,
        reason: str = "",
    ) -> None:
        """Fail from now on, until `works()`.

        :param kind: a status to answer each RCPT TO with (451, 550), or "slow" (answers that after `seconds`),
            "reset" (resets the connection there), "silent" (never answers it), "cut" (takes and delivers the mail,
            then resets the connection instead of an answer to its content).
        :param to: only mails to this address; None for all.
        :param times: only the next so many recipients.
        """
        to = to.lower() if to is not None else None
        self._asks(do="fails", kind=kind, token=to, times=times, seconds=seconds, reason=reason)

    def greylists(self, seconds: float | None) -> None:
        """Put off each new pair of sender and recipient (451) for so many seconds; None ends that."""
        self._set_facts(grey=seconds)

    def delivered(self, to: str | None = None) -> list[Mail]:
        """Return the mails that were taken (for this address), whatever the answer to the sender was."""
        return [mail for mail in self.received() if mail.delivered and (to is None or to in mail.recipients)]

    def arrives(self, count: int = 1, *, to: str | None = None, timeout: float = DEADLINE) -> list[Mail]:
        """Wait until at least so many mails were taken (for this address), and return them.

        :raises AssertionError: they were not within `timeout` seconds.
        """
        self.waits_for(lambda _: len(self.delivered(to)) >= count, timeout=timeout)
        return self.delivered(to)


def parsed(mail: Mail) -> EmailMessage:
    """Return a mail's headers and parts."""
    return message_from_bytes(mail.content.encode("utf-8", "surrogateescape"), policy=policy.default)
