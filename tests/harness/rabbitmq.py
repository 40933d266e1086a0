"""A RabbitMQ that belongs to one test run: a node on loopback and free ports, with its files in a temporary folder.

Erlang's nodes find each other through a name server, epmd, whose usual port belongs to the machine. This node brings
its own epmd, so that a RabbitMQ of the machine is neither seen nor touched, and nothing is left running.
"""

import os
import socket
import sys
from secrets import token_hex

from tests.harness import binaries
from tests.harness.processes import DidNotStart, Program, answers, free_port, temporary_folder
from tests.waiting import DEADLINE

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
cluster_name = {node}
default_user = chatsite
default_pass = {password}
log.console.level = info
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 1MB
"""


class RabbitMQ:
    """A RabbitMQ that keeps durable queues and persistent messages when it comes back, on the port it had."""

    user = "chatsite"

    def __init__(self) -> None:
        self.folder = temporary_folder("rabbitmq")
        self.node = f"chatsite-{token_hex(6)}@localhost"
        self.password = token_hex(16)
        self.port = 0
        self._epmd: Program | None = None
        self._program: Program | None = None

    def start(self) -> None:
        """Start it and wait until it answers (some seconds); a second start takes the same port and finds its data."""
        keep, attempts = bool(self.port), 3
        for _ in range(attempts):
            self.port = self.port if keep else free_port()
            epmd_port = self._start_epmd()
            self._program = Program(
                [binaries.rabbitmq()],
                log=self.folder / "log",
                environment=self._environment(epmd_port),
                folder=self.folder,
            )
            self._program.start()
            if answers(self._program, self._is_there, timeout=DEADLINE):
                return
            self._stop_epmd()
        raise DidNotStart((self.folder / "log").read_text(errors="replace"))

    @property
    def program(self) -> Program:
        """The running server, for signals: freeze() makes it hang, thaw() lets it go on."""
        assert self._program is not None, "not started"
        return self._program

    @property
    def url(self) -> str:
        """The address as CELERY_BROKER_URL wants it."""
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{self.port}//"

    def stop(self) -> None:
        """Stop it in good order: what is durable is on disk afterwards."""
        if self._program is not None and self._program.running:
            self._program.thaw()
            self._program.stop(timeout=DEADLINE)
        self._stop_epmd()

    def kill(self) -> None:
        """End it at once."""
        self.program.kill()
        self._stop_epmd()

    def restart(self) -> None:
        """Stop it in good order and start it again."""
        self.stop()
        self.start()

    def _environment(self, epmd_port: int) -> dict[str, str]:
        (self.folder / "rabbitmq.conf").write_text(
            _CONFIGURATION.format(port=self.port, node=self.node, password=self.password)
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "environment.conf").touch()
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),  # where Erlang makes and finds the node's cookie
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            # Else the file of the machine's own RabbitMQ is read, which may name its node and ports.
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # Not in the background: the script replaces itself by the server instead of waiting for it as a shell
            # of its own, so that signals reach the server and nothing but the server.
            "detached": "yes",
        }

    def _start_epmd(self) -> int:
        for _ in range(5):
            port = free_port()
            self._epmd = Program(
                [binaries.epmd(), "-port", str(port), "-address", "127.0.0.1"],
                log=self.folder / "epmd.log",
                environment={"PATH": os.defpath, "HOME": str(self.folder)},
            )
            self._epmd.start()
            if answers(self._epmd, lambda port=port: _accepts(port), timeout=DEADLINE):  # type: ignore[misc]
                return port
        raise DidNotStart((self.folder / "epmd.log").read_text())

    def _stop_epmd(self) -> None:
        if self._epmd is not None and self._epmd.running:
            self._epmd.kill()

    def _is_there(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                # Its greeting names the cluster, so that another RabbitMQ on that port is not taken for ours.
                return self.node.encode() in connection.recv(4096)
        except OSError:
            return False


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":  # how long it takes to start, stop and start again
    import time

    server = RabbitMQ()
    for step in (server.start, server.stop, server.start, server.kill, server.start, server.stop):
        begun = time.monotonic()
        step()
        sys.stdout.write(f"{step.__name__}: {time.monotonic() - begun:.2f} s\n")
