"""Ports for tests that nobody else on the machine is given meanwhile."""

import random
import socket


class Ports:
    """
    Hands out ports that nobody else uses: below the range from which the kernel gives clients
    theirs, in blocks that test processes beside this one leave alone (a name in the abstract
    namespace belongs to one process at a time, and goes with it).
    """

    BLOCK = 100
    BLOCKS = range(110, 320)  # ports 11000 to 31999

    def __init__(self):
        self.claims = []
        self.free = []
        self.next_block = random.choice(self.BLOCKS)

    def claim_block(self):
        """One more block of this process's own."""
        for _ in self.BLOCKS:
            block = self.next_block
            self.next_block = block + 1 if block + 1 in self.BLOCKS else self.BLOCKS[0]
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0superd-test-ports-{block}")
            except OSError:
                claim.close()
                continue
            self.claims.append(claim)
            self.free += range(block * self.BLOCK, (block + 1) * self.BLOCK)
            return
        raise AssertionError("no free ports left")

    @staticmethod
    def is_free(port):
        """Whether the port can be bound for every kind and family."""
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for family, host in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
                with socket.socket(family, kind) as probe:
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    try:
                        probe.bind((host, port))
                    except OSError:
                        return False
        return True

    def take(self):
        """A free port that nobody gets again."""
        while True:
            if not self.free:
                self.claim_block()
            port = self.free.pop(0)
            if self.is_free(port):
                return port


PORTS = Ports()


def free_port():
    """A port that is free in both families, for tcp and udp."""
    return PORTS.take()


def free_range(count):
    """count free ports in a row; the first of them."""
    ports = [PORTS.take()]
    while len(ports) < count:
        port = PORTS.take()
        ports = ports + [port] if port == ports[-1] + 1 else [port]
    return ports[0]
