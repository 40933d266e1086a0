"""Infrastructure of the tests: private services, real servers, a proxy, people, a replica.

Nothing here imports Django or the product: a client that shares code with the server would
agree with its mistakes. `python -m tests.harness` uses it from a shell.
"""
