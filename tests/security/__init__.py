"""The security list: one file per item whose tests are not elsewhere. `docs/security.md` has the table of all items."""
