"""Ground floor: frames, the socket, the hub of this process, the one door out. Knows no other app."""
