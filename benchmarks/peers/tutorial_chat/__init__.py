"""The chat of Channels' tutorial, with what anybody would add: people sign in, and the ORM stores messages.

Written as the tutorial writes it (https://channels.readthedocs.io/en/stable/tutorial/), with its asynchronous consumer.
A program of its own: nothing of Chatsite is in it but the libraries.
"""
