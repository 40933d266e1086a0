"""The fault campaign: load, faults, and a checker that reads what everybody wrote down.

`python -m tests.campaign` (`make campaign`) runs all of it; `test_short` a part of it with every `make test`.

    evidence    what was written down: histories of devices, rows of the database, what was asked and answered
    checker/    the invariants as pure functions over evidence; nothing here ever talks to a server

Like the harness, nothing here imports the product.
"""
