"""Writes: `devices`, `preferences` and `in_app` for people; `collect`, `fan_out`, `deliver`, `digests` for workers."""
