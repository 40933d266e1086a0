"""The load generator: what its clients make of a server's bytes, however they are cut, and what its tables say."""
