"""RFC 6455 on the running server, frame by frame, in the manner of the Autobahn test suite."""
