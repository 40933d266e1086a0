"""From a commit to the sockets of every process: door, hub, topics, outboxes, sweep."""
