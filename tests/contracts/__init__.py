"""Rules for the whole code: imports, schemas, rights of every route and frame, bad input, query counts, docs."""
