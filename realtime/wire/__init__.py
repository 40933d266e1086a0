"""What crosses the wire: bodies, frames, errors, announcements, and their schemas."""
