"""How one server is measured once, and how many are measured side by side.

A measure takes the tools, a server and the seconds it may take, and returns {figure: number}.
Figures in seconds, bytes and microseconds say so in their names; rate is a second.
"""

import subprocess

from server import Unavailable, machine_busy

SOURCES = ("-s", "127.1.0.1", "-n", "200")  # addresses of clients, where that matters
MICRO = 1e6


def load_figures(told):
    """What the load generator told, flat."""
    figures = {"rate": told["rate"], "failed": told["failed"] + told["hanging"]}
    for kind in ("first", "cycle"):
        for name, value in told[kind].items():
            figures[f"{kind}_{name}"] = value
    return figures


def rate(clients, *words):
    """Connections a second with so many clients at once."""

    def measure(tools, server, seconds):
        return load_figures(tools.load(server, seconds, "-c", clients, *words))

    return measure


def cpu_time(tools, server, seconds):
    """
    Microseconds of CPU a connection: the server's own code, the kernel on its behalf, its children
    from birth to end, the clients, and whatever is left (interrupts, the network's own threads).
    """
    before, busy_before = server.cpu(), machine_busy()
    told = tools.load(server, seconds, "-c", 16)
    after, busy_after = server.cpu(), machine_busy()
    count = max(1, told["completed"])
    part = {
        "server_user_us": after.user - before.user,
        "server_kernel_us": after.kernel - before.kernel,
        "program_us": after.children - before.children,
        "clients_us": told["own_cpu_us"] / MICRO,
    }
    rest = busy_after - busy_before - sum(part.values())
    figures = {name: value * MICRO / count for name, value in part.items()}
    figures["rest_us"] = rest * MICRO / count
    figures["rate"] = told["rate"]
    return figures


class Latency:
    """Times at fixed rates: parts of the most that this server does, found out first."""

    PARTS = (25, 50, 90)

    def __init__(self):
        self.most = {}

    def __call__(self, tools, server, seconds):
        if server not in self.most:
            tools.load(server, seconds, "-c", 16)  # the first time, everything is cold
            self.most[server] = tools.load(server, 2 * seconds, "-c", 16)["rate"]
        figures = {"most": self.most[server]}
        for part in self.PARTS:
            offered = max(1, self.most[server] * part / 100)
            told = load_figures(tools.load(server, seconds, "-r", f"{offered:.1f}"))
            figures[f"failed_{part}"] = told["failed"]
            figures[f"offered_{part}"] = offered
            for name in ("p50", "p99", "p999", "max"):
                figures[f"{name}_{part}_us"] = told[f"first_{name}_us"]
        return figures


def throughput(kind):
    """Bytes a second over one connection: echo or discard."""

    def measure(tools, server, seconds):
        told = tools.run("bulk", "-t", seconds, kind, server.address, server.port)
        return {"bytes_s": told["sent"] / told["seconds"]}

    return measure


def datagrams(tools, server, seconds):
    """Replies a second, and how many of the datagrams were lost."""
    told = tools.run("bulk", "-t", seconds, "datagrams", server.address, server.port)
    return {
        "packets_s": told["received"] / told["seconds"],
        "lost_percent": 100 * told["lost"] / max(1, told["sent"]),
    }


class Series:
    """One contender's figures, a value for each round."""

    def __init__(self, label):
        self.label = label
        self.figures = {}

    def add(self, figures):
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)


def interleave(rounds, things, measure, skipped):
    """
    Measures every thing of {label: thing} once a round; each round begins with another one, so that
    none always follows the same.  One that fails is named in skipped and left out from then on.
    """
    series = {label: Series(label) for label in things}
    labels = list(things)
    for number in range(rounds):
        turn = number % max(1, len(labels))
        for label in labels[turn:] + labels[:turn]:
            if label in skipped:
                continue
            try:
                series[label].add(measure(things[label]))
            except (Unavailable, OSError, subprocess.CalledProcessError) as reason:
                skipped[label] = str(reason)
    return [found for found in series.values() if found.figures]
