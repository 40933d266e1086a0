"""What reaches people who do not look: push, mail, preferences, and the record of each delivery."""
