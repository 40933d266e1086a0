"""The composition root: settings, routes and processes. Nothing imports it."""
