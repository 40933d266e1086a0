"""Who is there and who is typing: leases in a store, never in SQL, never replayed. And records of connections."""
