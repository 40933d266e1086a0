"""uvicorn's HTTP protocol, with a gap closed that a hostile client could use.

A client may send its next request before the last was answered, and hang up. uvicorn then tells only the newest
of the requests that nobody listens; the one under way writes to a transport that is gone, which fails in a place
where Django no longer gives its database connection back. Twenty such clients would take all connections.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class GuardedHttpProtocol(HttpToolsProtocol):
    """One connection with all requests that were not answered yet."""

    _unanswered: tuple[RequestResponseCycle, ...] = ()

    def on_headers_complete(self) -> None:
        """Begin a request, or queue it behind those that are under way."""
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            waiting = (cycle for cycle in self._unanswered if not cycle.response_complete)
            self._unanswered = (*waiting, self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that the client has left."""
        for cycle in self._unanswered:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._unanswered = ()
        super().connection_lost(exc)
