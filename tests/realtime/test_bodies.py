"""How JSON becomes typed bodies, from several threads at once."""

import subprocess
import sys

FIRST_USES = """
import sys, threading
from typing import Annotated
import msgspec
from realtime import bodies

def struct(**fields):
    return type("Fresh", (bodies.Request,), {"__annotations__": fields})

def of(*others):
    numbers = {f"x{n}": Annotated[int, msgspec.Meta(ge=n)] for n in range(20)}
    return struct(**numbers, others=list[others] if others else int)

def use(kind, gate):
    gate.wait()
    numbers = {f"x{n}": n for n in range(20)}
    for _ in range(20):
        assert bodies.convert(numbers | {"others": [numbers | {"others": 1}]}, kind).others[0].others == 1
        bodies.decode(msgspec.json.encode(numbers | {"others": []}), kind)

sys.setswitchinterval(1e-6)
for _ in range(100):
    kind, gate = of(of()), threading.Barrier(4)
    threads = [threading.Thread(target=use, args=(kind, gate)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("alive")
"""


def test_threads_that_meet_a_new_kind_at_the_same_time_do_not_end_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", FIRST_USES], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr
