"""What changes notifications: `devices` and `preferences` by people; `collect`, `fan_out` and `deliver` by workers."""
