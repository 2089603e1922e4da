"""The goals of the project, judged from the results alone."""

import dataclasses
import statistics

LIMITS = ("clone", "vfork", "fork")


class Results:
    """What was measured, as it stands in bench.json."""

    def __init__(self, data):
        self.data = data
        self.rows = {row["id"]: row for row in data["rows"]}

    def series(self, row, label):
        """{figure: values} of a line of a row; {} where it was not measured."""
        for series in self.rows.get(row, {}).get("series", []):
            if series["label"] == label:
                return series["figures"]
        return {}

    def values(self, row, label, figure):
        return self.series(row, label).get(figure, [])

    def median(self, row, label, figure):
        """The median over the rounds, or None."""
        values = self.values(row, label, figure)
        return statistics.median(values) if values else None

    def ratio(self, row, label, other, figure="rate"):
        """
        The median over the rounds of one line's figure divided by another's of the same round, or
        None.
        """
        return paired_ratio(self.values(row, label, figure), self.values(row, other, figure))

    def best_peer(self, row, own="superd"):
        """The fastest line that is neither superd nor a bare loop, or None."""
        rates = {
            series["label"]: statistics.median(series["figures"]["rate"])
            for series in self.rows.get(row, {}).get("series", [])
            if series["figures"].get("rate")
            and not series["label"].startswith(own)
            and series["label"] not in LIMITS
        }
        return max(rates, key=rates.get) if rates else None

    def why_not(self, row, *labels):
        """Why a figure is missing."""
        if row not in self.rows:
            return f"row {row} was not run"
        skipped = self.rows[row]["skipped"]
        reasons = [f"{label}: {skipped[label]}" for label in labels if label in skipped]
        return "; ".join(reasons) or "not measured"


def paired_ratio(values, others):
    if not values or len(values) != len(others):
        return None
    pairs = [value / other for value, other in zip(values, others) if other]
    return statistics.median(pairs) if pairs else None


@dataclasses.dataclass
class Verdict:
    """One line of the table of goals; measured None: reason says why."""

    name: str
    goal: str
    measured: object = None
    reached: object = None
    reason: str = ""
    rounds: int = 0

    def word(self):
        if self.measured is None:
            return "not measured"
        return "reached" if self.reached else "MISSED"


def at_least(results, name, goal, row, label, other, figure="rate", strict=False):
    """A ratio that has to be so high; strict: higher."""
    sign = "> " if strict else ""
    verdict = Verdict(name, f"{sign}{goal:.2f}")
    value = results.ratio(row, label, other, figure)
    if value is None:
        verdict.reason = results.why_not(row, label, other)
        return verdict
    verdict.measured = f"{value:.2f}"
    verdict.reached = value > goal if strict else value >= goal
    verdict.rounds = len(results.values(row, label, figure))
    return verdict


def at_most(results, name, goal, unit, row, label, figure, divisor=1, decimals=0):
    """A figure that must not be higher."""
    verdict = Verdict(name, f"<= {goal:g} {unit}")
    value = results.median(row, label, figure)
    if value is None:
        verdict.reason = results.why_not(row, label)
        return verdict
    verdict.measured = f"{value / divisor:.{decimals}f} {unit}"
    verdict.reached = value / divisor <= goal
    verdict.rounds = len(results.values(row, label, figure))
    return verdict


def rate_goals(results):
    for peer, goal in (
        ("s6-tcpserver", 1.4),
        ("tcpserver", 1.55),
        ("xinetd", 3.1),
        ("openbsd-inetd", 3.4),
    ):
        name = f"static program, 16 clients: superd / {peer}"
        yield at_least(results, name, goal, "static-16", "superd", peer)
    name = "static program, 16 clients: superd / bare clone loop"
    yield at_least(results, name, 0.90, "static-16", "superd", "clone")
    best = results.best_peer("dynamic-16")
    name = f"dynamic program, 16 clients: superd / best peer ({best or 'none'})"
    yield at_least(results, name, 1.0, "dynamic-16", "superd", best)
    name = "one client at a time, p50: bare vfork loop / superd"
    yield at_least(results, name, 0.75, "static-1", "vfork", "superd", "first_p50_us")
    name = "access log on / off"
    yield at_least(results, name, 0.97, "log", "superd", "superd, no log")
    for count, goal in ((1000, 0.97), (10000, 0.95)):
        label = f"superd, {count:,} services"
        name = f"{count:,} services / 1 service"
        yield at_least(results, name, goal, "services", label, "superd, 1 service")


def memory_goals(results):
    yield at_most(
        results,
        "proportional set size, 5 services idle",
        2.5,
        "MB",
        "memory",
        "superd, 5 services",
        "proportional",
        1e6,
        2,
    )
    yield at_most(
        results,
        "memory for each further listening socket",
        1024,
        "bytes",
        "memory",
        "superd, 10,000 more ports",
        "each",
    )
    label = "superd, 10,000 held"
    yield at_most(results, "memory for each live connection", 300, "bytes", "held", label, "each")


def time_goals(results):
    yield at_most(
        results,
        "start with 10,000 services",
        1,
        "s",
        "start",
        "superd, 10,000 services",
        "start_ms",
        1000,
        3,
    )
    name = "reload of one changed among 10,000 services"
    yield at_most(results, name, 1, "s", "reload", "superd", "reload_ms", 1000, 3)
    name = "connections lost by it, all rounds"
    verdict = Verdict(name, "0")
    lost = results.values("reload", "superd", "lost")
    if lost:
        verdict.measured, verdict.reached = f"{sum(lost):.0f}", sum(lost) == 0
        verdict.rounds = len(lost)
    else:
        verdict.reason = results.why_not("reload", "superd")
    yield verdict


def other_goals(results):
    for label, name in (
        ("socat EXEC:cat", "socat - EXEC:cat"),
        ("openbsd-inetd, built in", "openbsd-inetd's builtin echo"),
    ):
        name = f"echo over one connection: superd / {name}"
        yield at_least(results, name, 1, "echo", "superd", label, "bytes_s", strict=True)
    for kind in ("ipv4", "ipv6", "both"):
        name = f"ACL of 1,000,000 prefixes ({kind}): look-up"
        yield at_most(results, name, 1000, "ns", "acl", kind, "lookup_ns")
        name = f"ACL of 1,000,000 prefixes ({kind}): load"
        yield at_most(results, name, 2, "s", "acl", kind, "load_s", 1, 2)


def judge(results):
    """A verdict for each goal."""
    found = []
    for part in (rate_goals, memory_goals, time_goals, other_goals):
        found += part(results)
    return found
