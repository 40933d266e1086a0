"""The security list: one file for each item that has no home elsewhere. `docs/security.md` is the table of all."""
