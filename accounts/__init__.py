"""People and their device sessions: the user model, sign-up, sign-in, tokens, revocation."""
