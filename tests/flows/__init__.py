"""Stories told through real sockets and REST against running servers of both profiles.

Under `production`, `People` assigns the people of a test to the server processes in turn.
"""
