"""The fault campaign: load, faults, and a checker that reads what all devices recorded.

`python -m tests.campaign` (`make campaign`) runs all of it; `test_short` a part of it with every `make test`.

    conductor   the plan: which faults when      world      server processes, stores, faulty wires between them
    stage       an episode, for the faults        episode    people sign up, write, settle; the checker judges
    faults/     one file per family              crowd      people and conversations, who writes when
    measures    times beside their limits        actions     receipts, edits, deletions, coming and going
    report      docs/campaign.md                 device     a client by the protocol that records everything
    contents    the database, past the servers   search     deleted texts, in tables, keys and logs

    evidence    what was recorded: histories of devices, rows of the database, requests and answers
    checker/    the invariants as pure functions over evidence; nothing here ever talks to a server

Like the harness, nothing here imports the product.
"""
