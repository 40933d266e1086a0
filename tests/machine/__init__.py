"""A state machine against a plain model: random stories, and after every step the server agrees with the model."""
