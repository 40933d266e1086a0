"""How the event loop reaches the database: threads, statements, lanes, buffered writes."""
