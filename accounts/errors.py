"""Refusals of sign-up and sign-in."""

from realtime.wire.errors import DomainError


class WrongCredentials(DomainError):
    """Unknown name, wrong password or deactivated person; the answer does not say which."""

    def __init__(self) -> None:
        super().__init__("unauthenticated", "Username or password is wrong.")


class TooManyAttempts(DomainError):
    """The limit of attempts is used up."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("rate_limited", "Too many attempts; try again later.", retry_after=retry_after)
