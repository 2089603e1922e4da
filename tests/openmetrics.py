"""A strict reader of OpenMetrics text (version 1.0.0), as far as superd writes it.

parse(text) checks everything the format asks for and returns {family: Family}; what is wrong is a
ValueError that names the line.
"""

import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|\+Inf|-Inf|NaN")
# The suffixes of the samples of each type.
SUFFIXES = {
    "counter": {"_total", "_created"},
    "gauge": {""},
    "histogram": {"_bucket", "_count", "_sum", "_created"},
    "info": {"_info"},
}
UNITS = {"seconds", "bytes"}


class Family:
    """One metric family: its kind, and {(suffix, ((label, value), ...)): number}."""

    def __init__(self, name, kind):
        self.name, self.kind, self.unit, self.help = name, kind, None, None
        self.samples = {}

    def value(self, suffix="", **labels):
        return self.samples[suffix, tuple(sorted(labels.items()))]

    def labels(self, suffix=""):
        """The label sets of that suffix, as dictionaries."""
        return [dict(labels) for name, labels in self.samples if name == suffix]


def number_of(text):
    if not NUMBER.fullmatch(text):
        raise ValueError(f"'{text}' is no number")
    return float(text.replace("Inf", "inf"))


def labels_of(text):
    """The labels between braces, in their order."""
    found = []
    while text:
        match = LABEL.match(text)
        if not match:
            raise ValueError(f"labels: {text}")
        value = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[2])
        found.append((match[1], value))
        text = text[match.end() :]
        if text:
            if text[0] != "," or len(text) == 1:
                raise ValueError(f"labels: {text}")
            text = text[1:]
    if len({name for name, _ in found}) != len(found):
        raise ValueError("a label stands twice")
    return found


def meta(line, family, families):
    """A # line; returns the family that it is about."""
    match = re.fullmatch(r"# (TYPE|UNIT|HELP) (\S+) (.*)", line)
    if not match or not NAME.fullmatch(match[2]):
        raise ValueError("not understood")
    kind, name, text = match.groups()
    if family is None or family.name != name:
        if name in families:
            raise ValueError("the family is interleaved with others")
        if kind != "TYPE":
            raise ValueError("its TYPE comes first")
        if text not in SUFFIXES:
            raise ValueError(f"no type {text}")
        return Family(name, text)
    if family.samples:
        raise ValueError("behind its samples")
    if kind == "TYPE":
        raise ValueError("a second TYPE")
    if getattr(family, kind.lower()) is not None:
        raise ValueError(f"a second {kind}")
    if kind == "UNIT" and (text not in UNITS or not name.endswith("_" + text)):
        raise ValueError("the name does not end with its unit")
    if re.search(r'\\[^\\n"]', text):
        raise ValueError("an escape that there is not")
    setattr(family, kind.lower(), text)
    return family


def sample(line, family):
    match = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line)
    if not match:
        raise ValueError("not understood")
    name, labels, text = match.groups()
    if family is None or not name.startswith(family.name):
        raise ValueError("a sample outside its family")
    suffix = name[len(family.name) :]
    if suffix not in SUFFIXES[family.kind]:
        raise ValueError(f"no sample of a {family.kind}")
    number = number_of(text)
    labels = labels_of(labels or "")
    if family.kind in ("counter", "histogram") and not number >= 0:
        raise ValueError("below 0")
    if suffix in ("_bucket", "_count") and not re.fullmatch(r"\d+", text):
        raise ValueError("not a whole number")
    if family.kind == "info" and text != "1":
        raise ValueError("an info is 1")
    if suffix == "_bucket" and labels[-1][0] != "le":
        raise ValueError("a bucket ends with le")
    if suffix == "_bucket" and not re.fullmatch(r"\+Inf|\d+\.\d+(e-?\d+)?", labels[-1][1]):
        raise ValueError("le is not canonical")
    key = suffix, tuple(sorted(labels))
    if key in family.samples:
        raise ValueError("the sample stands twice")
    family.samples[key] = number


def check_histogram(family):
    """Each one complete: rising bounds to +Inf, rising counts, _count and _sum that agree."""
    groups = {}
    for (suffix, labels), number in family.samples.items():
        rest = tuple(pair for pair in labels if pair[0] != "le")
        group = groups.setdefault(rest, {"buckets": []})
        if suffix == "_bucket":
            group["buckets"].append((number_of(dict(labels)["le"]), number))
        else:
            group[suffix] = number
    for labels, group in groups.items():
        bounds = [bound for bound, _ in group["buckets"]]
        counts = [count for _, count in group["buckets"]]
        if bounds != sorted(set(bounds)) or bounds[-1] != math.inf:
            raise ValueError(f"{family.name}{labels}: buckets out of order, or without +Inf")
        if counts != sorted(counts) or counts[-1] != group["_count"]:
            raise ValueError(f"{family.name}{labels}: the counts do not rise to _count")
        least = sum(
            low * (count - before)
            for low, count, before in zip([0, *bounds], counts, [0, *counts])
        )
        if group["_sum"] < least or (group["_count"] == 0 and group["_sum"] != 0):
            raise ValueError(f"{family.name}{labels}: _sum cannot be")


def check_group_order(lines):
    """The samples of one label set (le apart) of a histogram stand together."""
    seen, last = set(), None
    for line in lines:
        if line.startswith("#"):
            continue
        name = re.match(r"[^{ ]+", line)[0]
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        labels = re.sub(r',?le="[^"]*"', "", (re.search(r"\{.*\}", line) or [""])[0])
        key = (base, labels) if base != name else (name, line)
        if key != last and key in seen:
            raise ValueError(f"interleaved: {line}")
        seen.add(key)
        last = key


def parse(text):
    if not text.endswith("# EOF\n"):
        raise ValueError("does not end with # EOF and a newline")
    if "\r" in text or "\n\n" in text:
        raise ValueError("an empty line or a carriage return")
    lines = text.split("\n")[:-2]
    families, family = {}, None
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith("#"):
                new = meta(line, family, families)
                if new is not family:
                    family = families[new.name] = new
            else:
                sample(line, family)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}: {line}") from None
    for family in families.values():
        if family.help is None:
            raise ValueError(f"{family.name} has no HELP")
        if family.kind == "histogram":
            check_histogram(family)
    check_group_order(lines)
    return families
