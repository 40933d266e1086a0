"""Conversations, their participants, and the numbered event log that live delivery and catch-up share."""
