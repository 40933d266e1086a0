"""What holds for the code as a whole: imports, schemas, rights of every route and frame, bad input, query counts."""
