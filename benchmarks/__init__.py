"""Load generator and workloads, against the production profile with one server process.

`python -m benchmarks` runs all, `python -m benchmarks w2` one, `python -m benchmarks profile w3`
shows where the server's time goes. `docs/benchmarks.md` explains the workloads and the figures.

    workloads/       one module per workload             clients   signed-in clients that check order, and crowds
    runner           one run of one workload
    subject          interface of a server under test    usage     CPU seconds and memory of processes
    installation     Chatsite as such a subject          report    tables and JSON
    population       people, sessions, conversations     profiles  py-spy, folded by part of the server
    chatsite_client  Chatsite's frames                   websocket a WebSocket client with little overhead
    peers/           other servers as such subjects; `python -m benchmarks.peers` compares
    history/         pages with older figures

The generator is this process; PostgreSQL, Redis and the server are processes of their own.
"""
