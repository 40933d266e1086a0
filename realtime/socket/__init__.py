"""One connection from its upgrade to its close: sign-in, frames in, limits, drain."""
