"""Other servers under the same workloads: ejabberd, prosody, Synapse and the Channels tutorial's chat.

`python -m benchmarks.peers` measures them next to Chatsite in one run, prints one table with ratios and writes the
measured part of `docs/benchmarks.md`. Every server runs on loopback without TLS, on free ports, with its files in
temporary folders and a PostgreSQL of its own with fsync on. Nothing of the system's own services is used.

    contenders  the servers, and their results         table     figures, ratios and targets; the documents
    server      the common part of the peers           packages  their installation
    ejabberd    archive (mod_mam) in PostgreSQL        xmpp      a client of the two XMPP servers
    prosody     archive in PostgreSQL, or in files     matrix    a client of Synapse, over `http`
    synapse     on PostgreSQL                          tutorial  the Channels tutorial (`tutorial_chat`), and its client
"""
