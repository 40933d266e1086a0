"""Refusals of sign-up and sign-in."""

import math

from realtime.wire.errors import DomainError


class WrongCredentials(DomainError):
    """Unknown name, wrong password or deactivated person; the answer does not say which."""

    def __init__(self) -> None:
        super().__init__("unauthenticated", "Username or password is wrong.")


class TooManyAttempts(DomainError):
    """The limit of such attempts is used up."""

    def __init__(self, name: str, *, retry_after: float) -> None:
        minutes = max(1, math.ceil(retry_after / 60))
        when = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__("rate_limited", f"Too many {name}; try again in {when}.", retry_after=retry_after)
