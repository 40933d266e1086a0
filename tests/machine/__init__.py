"""A state machine test against a plain model: after every step of a random story the server agrees with the model."""
