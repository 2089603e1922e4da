"""What a row of the benchmark is."""

import dataclasses

import measures
from peers import Want

# Figures as the table shows them: (figure, heading, divisor, decimals).
RATE_COLUMNS = (
    ("rate", "conn/s", 1, 0),
    ("first_p50_us", "p50 ms", 1000, 3),
    ("first_p99_us", "p99 ms", 1000, 2),
    ("first_p999_us", "p99.9 ms", 1000, 2),
    ("first_max_us", "max ms", 1000, 1),
    ("failed", "failed", 1, 0),
)


@dataclasses.dataclass(frozen=True)
class Contender:
    """One line of a row."""

    label: str
    peer: str
    want: Want


@dataclasses.dataclass
class Row:
    """Servers that stand ready side by side and are measured in turn, round by round."""

    id: str
    title: str
    contenders: list
    measure: object
    columns: tuple = RATE_COLUMNS
    rounds: int = 5
    seconds: float = 1.0
    figure: str = "rate"  # what ratios are of
    reference: str = "superd"  # against which line
    groups: tuple = ()  # of columns, a line each: {"suffix", "columns", "figure"}; () is one

    def all_groups(self):
        return self.groups or ({"suffix": "", "columns": self.columns, "figure": self.figure},)

    def run(self, session):
        servers, skipped = session.start_all(self.contenders)
        try:
            found = measures.interleave(
                session.rounds(self),
                servers,
                lambda server: self.measure(session.tools, server, session.seconds(self)),
                skipped,
            )
        finally:
            for server in servers.values():
                server.stop()
        return found, skipped


def several(peers, **want):
    """A line for each peer, without a log."""
    return [Contender(peer, peer, Want(**want)) for peer in peers]


def superd(label="superd", log=True, **want):
    """superd as it comes: with its whole access log."""
    return Contender(label, "superd", Want(log=log, **want))
