"""Pushes and mail end to end: real servers, workers and brokers, and providers that speak their real protocols."""
