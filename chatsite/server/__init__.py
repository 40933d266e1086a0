"""How the server process runs: uvicorn, its protocols, Django in one hop, garbage, start and end."""
