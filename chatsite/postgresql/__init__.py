"""Django's backend for PostgreSQL, with times that are read by Python's own parser."""
