"""The chat of Channels' tutorial, with two obvious additions: people sign in, and the ORM stores messages.

Written as in the tutorial (https://channels.readthedocs.io/en/stable/tutorial/), with its asynchronous consumer.
A program of its own: it shares only libraries with Chatsite.
"""
