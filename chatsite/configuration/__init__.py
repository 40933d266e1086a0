"""What settings are made of: limits, stores, notifications, secrets, checks of production."""
