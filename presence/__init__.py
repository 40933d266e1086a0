"""Presence and typing: leases in a store, never in SQL, never replayed. Also records of connections."""
