"""The faults of a double: of which kind, for which token, how often."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["slow", "reset", "cut", "silent", "goaway"]
# slow: the answer comes after `seconds`. reset: the connection is reset before anything is taken; a new one right
# after its TLS handshake. cut: the request is taken and delivered, and the connection reset instead of an answer.
# silent: nothing is answered, nothing delivered. goaway: HTTP/2's GOAWAY says that the request was not processed.


@dataclass(slots=True)
class Fault:
    """One order: a status to answer with, or a misbehaviour; for one token or all, for some requests or all."""

    kind: int | Kind
    token: str | None = None
    times: int | None = None
    seconds: float = 0.0
    retry_after: float | None = None
    reason: str = ""


class Faults:
    """The current orders. One for a token goes before those for all, the newer before the older."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Apply this order from the next request on."""
        self._orders.insert(0, fault)

    def clear(self) -> None:
        """Remove all orders."""
        self._orders.clear()

    def take(self, token: str, *, own_only: bool = False) -> Fault | None:
        """Return the fault for a request with this token, and count it as used; `own_only`: only one for this token."""
        if not self._orders:
            return None
        for order in self._orders:
            if order.token == token:
                return self._used(order)
        for order in self._orders:
            if order.token is None and not own_only:
                return self._used(order)
        return None

    def resets_connection(self) -> bool:
        """Say whether a new connection is reset, which uses such an order up once."""
        if self._orders:
            for order in self._orders:
                if order.token is None:
                    return order.kind == "reset" and self._used(order) is order
        return False

    def _used(self, order: Fault) -> Fault:
        if order.times is not None:
            order.times -= 1
            if order.times <= 0:
                self._orders.remove(order)
        return order
