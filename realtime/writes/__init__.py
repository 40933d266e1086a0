"""Batches that are written in one transaction, by a thread or by the event loop."""
