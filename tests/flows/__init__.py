"""Stories, through real sockets and REST, against running servers of both profiles.

Under `production` the people of a test sit at different server processes in turn.
"""
