"""What is read for decisions (`facts`), of the list in the app, of preferences, and of a message's way (`trace`)."""
