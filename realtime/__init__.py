"""The socket: frames, connections, the hub of this process, the door. Imports no other app."""
