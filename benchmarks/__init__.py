"""Load generator and workloads W1 to W4, against the production profile with one server process.

`python -m benchmarks` runs all, `python -m benchmarks w2` one, `python -m benchmarks profile w3`
shows where the server's time goes. `docs/benchmarks.md` says what is measured and how to read it.

    websocket     a WebSocket client without weight     clients   signed-in clients that check order
    population    people, sessions, conversations       usage     CPU seconds and memory of processes
    installation  services and the server process       report    tables and JSON
    workloads/    one module per workload               profiles  py-spy, folded by room

The generator is this process; PostgreSQL, Redis and the server are processes of their own.
"""
