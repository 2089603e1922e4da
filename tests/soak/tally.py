"""What a soak counts: connections and how they ended, gaps without an accept, faults, drift.

A connection of a healthy service is one of
  answered   it got the whole answer, and the right one
  spared     a fault that was on meanwhile may cost connections like it, and it got an orderly end
  lost       anything else: a reset, no answer within ten seconds, a part of an answer, an end without
             a fault that explains it, a connect that was refused
A connection that a fault opens to a sick service is answered, refused as expected (by a limit, with
an orderly end), cut off (its program was killed), or lost.
"""

import collections
import time
from typing import NamedTuple

ANSWERED = "answered"
ORDERLY = "orderly"  # an end of file, and nothing of an answer before it
RESET = "reset"
HANG = "hang"
TORN = "torn"  # a part of the answer, or another one
NOBODY = "nobody"  # nobody listens


class Ended(NamedTuple):
    """A connection of the load that was not answered; times are time.monotonic()'s."""

    service: str
    how: str
    began: float
    ended: float
    detail: str = ""


class Gap(NamedTuple):
    """
    A time in which superd accepted nobody while clients came; seconds: of it, those in which the
    clients themselves ran.
    """

    seconds: float
    began: float
    ended: float


class Load:
    """
    What the process of the load counts.

    Its clients' loop tells of each of its rounds by step(). Where one begins later than STOOD_S
    after the one before, the machine had no time for the clients, nobody came, and that time is
    no gap of superd's.
    """

    MOST = 100000  # of those that are kept one by one
    STOOD_S = 0.05

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.tried = collections.Counter()
        self.answered = collections.Counter()
        self.unanswered = []
        self.longest = Gap(0.0, 0.0, 0.0)
        self.stood_most = self.stood_in_all = 0.0
        self.skipped = 0
        self._step = clock()
        self._awake = 0.0  # seconds until then in which the clients ran
        self._last = None  # the last sign: those seconds, and the time

    def end(self, service, how, began, detail=""):
        """A connection has ended so."""
        if how == ANSWERED:
            self.answered[service] += 1
        elif len(self.unanswered) < self.MOST:
            self.unanswered.append(Ended(service, how, began, self.clock(), detail))

    def sign(self):
        """superd has accepted somebody."""
        now = self.clock()
        awake = self._awake + min(now - self._step, self.STOOD_S)
        if self._last is not None and awake - self._last[0] > self.longest.seconds:
            self.longest = Gap(awake - self._last[0], self._last[1], now)
        self._last = (awake, now)

    def step(self):
        """The clients' loop begins a round."""
        now = self.clock()
        took = now - self._step
        if took > self.STOOD_S:
            self.stood_most = max(self.stood_most, took)
            self.stood_in_all += took
        self._awake += min(took, self.STOOD_S)
        self._step = now

    def rest(self):
        """Nobody comes for a while: what follows is no gap."""
        self._last = None


class Window(NamedTuple):
    """The time of one fault; spares: {service or "": outcomes that it may cause}."""

    kind: str
    began: float
    ended: float
    spares: dict
    survived: bool = True  # and its own checks were met

    def explains(self, ended):
        """Whether this fault was on while the connection was open and may end it like that."""
        allowed = self.spares.get(ended.service, self.spares.get("", ()))
        return ended.how in allowed and ended.began <= self.ended and ended.ended >= self.began


class Sick:
    """What the faults' own connections came to, by kind of fault."""

    def __init__(self):
        self.counts = collections.defaultdict(collections.Counter)
        self.lost = []

    def add(self, kind, what, count=1):
        """what: answered, refused, cut or lost."""
        self.counts[kind]["tried"] += count
        self.counts[kind][what] += count
        if what == "lost":
            self.lost.append((kind, time.monotonic()))

    def total(self, what):
        return sum(counts[what] for counts in self.counts.values())


class Drift(NamedTuple):
    """The state of superd at rest, against that before the soak."""

    descriptors: int
    memory_kib: int
    zombies: int
    children: int
    same_pid: bool


class Verdict:
    """The end of a soak: the table and whether it is good."""

    MEMORY_KIB = 1024
    GAP_S = 1.0

    def __init__(self, load, sick, windows, drifts, problems, gap_s=GAP_S):
        self.gap_s = gap_s
        self.load, self.sick, self.drifts, self.problems = load, sick, drifts, problems
        self.windows = windows
        self.spared = collections.Counter()
        self.lost = []
        for ended in load.unanswered:
            window = next((window for window in windows if window.explains(ended)), None)
            if window:
                self.spared[window.kind] += 1
            else:
                self.lost.append(ended)

    def worst(self, field):
        """The largest of all looks at superd."""
        return max((getattr(drift, field) for drift in self.drifts), key=abs)

    def faults_in(self, began, ended):
        """The kinds that were on then."""
        kinds = [w.kind for w in self.windows if w.began <= ended and w.ended >= began]
        return " ".join(kinds) or "no fault"

    def failures(self):
        """Why it is not good, a line each."""
        for ended in self.lost[:20]:
            faults = self.faults_in(ended.began, ended.ended)
            yield (f"lost: {ended.service}: {ended.how} after {ended.ended - ended.began:.3f} s, "
                   f"during {faults} {ended.detail}")
        for kind, when in self.sick.lost[:20]:
            yield f"lost: a connection of the fault {kind}, during {self.faults_in(when, when)}"
        yield from self.problems
        gap = self.load.longest
        if gap.seconds > self.gap_s:
            yield (f"nobody accepted for {gap.seconds:.3f} s, during "
                   f"{self.faults_in(gap.began, gap.ended)}")
        if self.worst("descriptors"):
            yield f"descriptors: {self.worst('descriptors'):+d}"
        if max(drift.memory_kib for drift in self.drifts) > self.MEMORY_KIB:
            yield f"memory: {self.worst('memory_kib'):+d} KiB"
        if self.worst("zombies") or self.worst("children"):
            yield f"{self.worst('zombies')} zombies, {self.worst('children')} children too many"
        if not all(drift.same_pid for drift in self.drifts):
            yield "another process, or none"
        if not self.load.answered:
            yield "nothing was answered: that was no soak"

    def table(self, head, more):
        """The lines of the table; more: rows of the caller's, as (what, value)."""
        survived = collections.Counter(window.kind for window in self.windows if window.survived)
        tried = sum(self.load.tried.values()) + self.sick.total("tried")
        lines = [head, "", f"faults survived {sum(survived.values()):>24}"]
        for kind in sorted(survived):
            counts = self.sick.counts.get(kind, {})
            words = [f"{counts[what]} {what}" for what in ("answered", "refused", "cut")
                     if counts.get(what)]
            if self.spared[kind]:
                words.append(f"{self.spared[kind]} of the load refused by the fault")
            lines.append(f"    {kind:<24} {survived[kind]:>10}   {', '.join(words)}".rstrip())
        rows = [("connections tried", tried)]
        rows += [(f"    {name}", count) for name, count in sorted(self.load.tried.items())]
        rows += [
            ("    by the faults themselves", self.sick.total("tried")),
            ("answered", sum(self.load.answered.values()) + self.sick.total("answered")),
            ("refused as expected", self.sick.total("refused") + sum(self.spared.values())),
            ("cut off by a kill", self.sick.total("cut")),
            ("lost", len(self.lost) + len(self.sick.lost)),
            ("longest gap without accept", f"{self.load.longest.seconds * 1000:.0f} ms"),
            ("    during", self.faults_in(self.load.longest.began, self.load.longest.ended)),
            ("    the load itself stood", f"{self.load.stood_most * 1000:.0f} ms at most, "
             f"{self.load.stood_in_all:.1f} s in all"),
            ("looks at superd at rest", len(self.drifts)),
            ("drift of descriptors", f"{self.worst('descriptors'):+d}"),
            ("drift of resident memory", f"{self.drifts[-1].memory_kib:+d} KiB at the end, "
             f"{max(drift.memory_kib for drift in self.drifts):+d} KiB at most"),
            ("zombies", self.worst("zombies")),
            ("children left", self.worst("children")),
            ("same process", "yes" if all(d.same_pid for d in self.drifts) else "NO"),
            *more,
        ]
        return lines + [f"{what:<29}{str(value):>10}" for what, value in rows]
