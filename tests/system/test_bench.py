"""The benchmark's judgement: ratios, goals, and what was not measured never counts as reached."""

import importlib
import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def goals(source):
    sys.path.insert(0, str(source / "tests/bench"))
    try:
        return importlib.import_module("goals")
    finally:
        sys.path.pop(0)


def results(rows):
    """rows: {id: {label: {figure: values}}}, in the form of bench.json."""
    return {
        "version": "0",
        "date": "2026-01-01",
        "minutes": 1,
        "quick": False,
        "machine": {"processors": 2, "model": "x", "memory_gb": 1, "kernel": "x", "load": 0.0},
        "rows": [
            {
                "id": row,
                "title": row,
                "rounds": 5,
                "seconds": 1,
                "timed": True,
                "reference": "superd",
                "groups": [{"suffix": "", "columns": [["rate", "conn/s", 1, 0]], "figure": "rate"}],
                "series": [{"label": name, "figures": figures} for name, figures in lines.items()],
                "skipped": {"s6-tcpserver": "not installed"},
            }
            for row, lines in rows.items()
        ],
    }


def verdict(goals, rows, words):
    found = [v for v in goals.judge(goals.Results(results(rows))) if words in v.name]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    "superd, clone, word, measured",
    [
        ([9, 9, 9], [10, 10, 10], "reached", "0.90"),
        ([8, 9, 8], [10, 10, 10], "MISSED", "0.80"),
        # Rounds are compared with themselves: the machine was slow in the last ones.
        ([95, 50, 20], [100, 52, 21], "reached", "0.95"),
        ([9, 9], [10, 10, 10], "not measured", None),  # one of them fell out
        ([9, 9, 9], [0, 0, 0], "not measured", None),
        ([], [10], "not measured", None),
    ],
)
def test_ratio_to_the_limit(goals, superd, clone, word, measured):
    rows = {"static-16": {"superd": {"rate": superd}, "clone": {"rate": clone}}}
    found = verdict(goals, rows, "bare clone loop")
    assert (found.word(), found.measured) == (word, measured)


def test_what_is_missing_is_named(goals):
    rows = {"static-16": {"superd": {"rate": [1]}}}
    found = verdict(goals, rows, "s6-tcpserver")
    assert found.word() == "not measured" and found.reason == "s6-tcpserver: not installed"
    found = verdict(goals, rows, "access log")
    assert found.word() == "not measured" and found.reason == "row log was not run"


def test_the_best_peer_is_no_bare_loop_and_not_superd(goals):
    rates = {"superd": 9, "superd, no log": 12, "clone": 20, "xinetd": 8, "tcpserver": 10}
    rows = {"dynamic-16": {name: {"rate": [rate]} for name, rate in rates.items()}}
    found = verdict(goals, rows, "best peer")
    assert found.name.endswith("(tcpserver)") and found.word() == "MISSED"


@pytest.mark.parametrize("lost, word", [([0, 0], "reached"), ([0, 1], "MISSED")])
def test_one_lost_connection_in_any_round_is_too_many(goals, lost, word):
    rows = {"reload": {"superd": {"lost": lost, "reload_ms": [10, 10]}}}
    assert verdict(goals, rows, "lost").word() == word


def test_units(goals):
    rows = {"memory": {"superd, 5 services": {"proportional": [2400000]}}}
    assert verdict(goals, rows, "5 services idle").measured == "2.40 MB"
    rows = {"start": {"superd, 10,000 services": {"start_ms": [1001]}}}
    assert verdict(goals, rows, "start with").word() == "MISSED"


def test_saved_results_are_printed_again(source, tmp_path):
    saved = tmp_path / "bench.json"
    lines = {"superd": {"rate": [1000, 1100, 1200]}, "clone": {"rate": [2000, 2200, 2400]}}
    saved.write_text(json.dumps(results({"static-16": lines})))
    done = subprocess.run(
        [source / "tests/bench/run", "--from", saved, "--text"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "  superd   1,100     9   1.00" in done.stdout
    assert "  clone    2,200     9   0.50" in done.stdout
    assert "skipped: s6-tcpserver: not installed" in done.stdout
    assert "superd / bare clone loop" in done.stdout and "MISSED" in done.stdout


def test_every_row_has_a_name_of_its_own(source):
    done = subprocess.run(
        [source / "tests/bench/run", "--list"], capture_output=True, text=True, check=True
    )
    names = [line.split()[0] for line in done.stdout.splitlines()[:-1]]
    assert len(names) == len(set(names)) > 15
