"""Load generator and workloads W1 to W4, against the production profile with one server process.

`python -m benchmarks` runs all, `python -m benchmarks w2` one, `python -m benchmarks profile w3`
shows where the server's time goes. `docs/benchmarks.md` says what is measured and how to read it.

    workloads/       one module per workload             clients   signed-in clients that check order, and crowds
    runner           one run of one workload
    subject          what a workload knows of a server   usage     CPU seconds and memory of processes
    installation     Chatsite as such a subject          report    tables and JSON
    population       people, sessions, conversations     profiles  py-spy, folded by room
    chatsite_client  Chatsite's frames                   websocket a WebSocket client without weight
    peers/           other servers as such subjects; `python -m benchmarks.peers` compares

The generator is this process; PostgreSQL, Redis and the server are processes of their own.
"""
