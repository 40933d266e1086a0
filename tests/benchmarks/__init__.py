"""The load generator: its clients parse the bytes of a server however they are split; its tables are right."""
