"""Pushes and mail end to end: real servers, workers and brokers, and doubles of providers with the real protocols."""
