"""Reads for decisions (`facts`), the list in the app, preferences, digests, and the trace of a message (`trace`)."""
