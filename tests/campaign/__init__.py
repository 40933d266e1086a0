"""The fault campaign: load, faults, and a checker that reads what everybody wrote down.

`python -m tests.campaign` (`make campaign`) runs all of it; `test_short` a part of it with every `make test`.

    conductor   the plan: which faults when      world      server processes, stores, faulty wires between them
    stage       an episode from the faults' side episode    people come together, write, settle, are judged
    faults/     one file per family              crowd      people and conversations, who writes when
    measures    times beside their limits        doings     receipts, edits, deletions, coming and going
    report      docs/campaign.md                 device     a client by the protocol that writes down everything
    contents    the database, past the servers   search     deleted texts, wherever they may be

    evidence    what was written down: histories of devices, rows of the database, what was asked and answered
    checker/    the invariants as pure functions over evidence; nothing here ever talks to a server

Like the harness, nothing here imports the product.
"""
