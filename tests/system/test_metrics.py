"""The metrics through superd, and that log, status and metrics agree about what has happened."""

import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

import openmetrics
import stand

NOBODY = 65534
USER = "user = root" if os.getuid() == 0 else ""
LOG = "log { level = debug  events = { accept, refuse, exit, error } }\n"
# The families that interface.md names; the manual names all.
NAMED = {
    "superd_connections_accepted": "counter",
    "superd_connections_refused": "counter",
    "superd_connections_active": "gauge",
    "superd_spawn_seconds": "histogram",
    "superd_connection_seconds": "histogram",
    "superd_listener_up": "gauge",
}


def metrics_of(daemon):
    return openmetrics.parse(daemon.ctl("metrics"))


def scrape(port, *words):
    """What curl gets; (status, headers and body)."""
    done = subprocess.run(
        ["curl", "-s", "-i", "--max-time", str(stand.DEADLINE), *words,
         f"http://127.0.0.1:{port}/metrics"],
        stdout=subprocess.PIPE,
        check=True,
    )
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    return head, body


# --- the reader of the tests itself -----------------------------------------------------------

GOOD = """# TYPE a counter
# HELP a text
a_total{b="c\\"\\\\\\n"} 1
# TYPE h_seconds histogram
# UNIT h_seconds seconds
# HELP h_seconds text
h_seconds_bucket{le="0.1"} 1
h_seconds_bucket{le="+Inf"} 2
h_seconds_count 2
h_seconds_sum 5.1
# EOF
"""


def test_the_reader_reads():
    families = openmetrics.parse(GOOD)
    assert families["a"].value("_total", b='c"\\\n') == 1
    assert families["h_seconds"].value("_sum") == 5.1


@pytest.mark.parametrize(
    "old, new",
    [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "\n# EOF\n"),
        ("a_total", "a"),
        ("a_total", "b_total"),
        ("a_total{", "a_total{,"),
        ('"} 1', '"}  1'),
        ('"} 1', '"} x'),
        ('"} 1', '"} -1'),
        ('c\\"', "c\\q"),
        ("counter", "kounter"),
        ("# HELP a text\n", ""),
        ("# HELP a text\n", "# HELP a text\n# HELP a text\n"),
        ("# TYPE a counter\n# HELP a text\n", "# HELP a text\n# TYPE a counter\n"),
        ("# UNIT h_seconds seconds", "# UNIT h_seconds bytes"),
        ('h_seconds_bucket{le="+Inf"} 2\n', ""),
        ('{le="+Inf"} 2', '{le="+Inf"} 3'),
        ('{le="0.1"} 1', '{le="0.1"} 3'),
        ('le="0.1"', 'le="1"'),
        ("h_seconds_count 2\n", ""),
        ("h_seconds_count 2\n", "h_seconds_count 2\nh_seconds_count 2\n"),
        ("h_seconds_sum 5.1", "h_seconds_sum 0.01"),
        ("# EOF\n", 'a_total{b="d"} 1\n# EOF\n'),
    ],
)
def test_the_reader_is_strict(old, new):
    assert old in GOOD
    with pytest.raises((ValueError, KeyError, IndexError)):
        openmetrics.parse(GOOD.replace(old, new, 1))


# --- superctl metrics -------------------------------------------------------------------------


def test_every_family_of_the_specification(superd, kinds):
    port = stand.free_port()
    daemon = superd(
        f"service one {{ listen = 127.0.0.1:{port}  exec = /bin/cat {USER} }}\n", *kinds
    )
    families = metrics_of(daemon)
    for name, kind in NAMED.items():
        assert families[name].kind == kind
    for name in ("cpu_seconds", "resident_memory_bytes", "virtual_memory_bytes", "open_fds",
                 "max_fds", "start_time_seconds"):
        family = families["process_" + name]
        assert family.value("_total" if family.kind == "counter" else "") > 0
    assert families["superd_listener_up"].value(service="one", endpoint=f"tcp 127.0.0.1:{port}") == 1
    assert families["superd_build"].value("_info", version=daemon.status()["version"]) == 1
    assert families["superd_config_generation"].value() == 1


def test_every_family_is_in_the_manual(superd, source):
    """And the manual names no other."""
    daemon = superd(f"service one {{ listen = 127.0.0.1:{stand.free_port()} exec = /bin/cat {USER} }}\n")
    page = (source / "man/superctl.8").read_text()
    listed = re.findall(r"^\.It Cm ((?:superd|process)_\w+)", page, re.M)
    suffix = {"counter": "_total", "info": "_info"}
    assert sorted(listed) == sorted(
        name + suffix.get(family.kind, "") for name, family in metrics_of(daemon).items()
    )


def test_every_field_and_event_is_in_the_manual(superd, source):
    """Of the answers to status and connections, and the log's events as the sources have them."""
    page = (source / "man/superctl.8").read_text()
    daemon = superd(f"service one {{ listen = 127.0.0.1:{stand.free_port()} exec = /bin/cat {USER} }}\n")
    status = daemon.status()
    fields = {*status, *status["config"], *status["services"][0],
              *status["services"][0]["listeners"][0], *status["services"][0]["exited"],
              *"id service peer pid age idle cpu rss".split()}
    words = set(re.findall(r"[a-z_]+", page))
    assert not fields - words
    events = set()
    for path in source.glob("superd/report*.c"):
        text = path.read_text()
        events |= set(re.findall(r'LEVEL_\w+,\s*"([a-z-]+)"', text))
    for path in source.glob("superd/*.c"):
        events |= set(re.findall(r'report_daemon\(\s*[^;]*?LEVEL_\w+, "([a-z-]+)"', path.read_text()))
    assert len(events) > 15
    log = (source / "man/superd.8").read_text().partition(".Sh LOG")[2].partition(".Sh FILES")[0]
    items = set(re.findall(r"[a-z-]+", " ".join(re.findall(r"^\.It Cm (.*)$", log, re.M))))
    assert sorted(events - items) == [], "events that superd.8 does not tell of"


def test_histograms_count_what_happened(superd, program, kinds):
    port, slow = stand.free_port(), stand.free_port()
    nap = program("nap", "#!/bin/sh\nsleep 0.3\n")
    daemon = superd(
        f"service fast {{ listen = 127.0.0.1:{port}  exec = /bin/true {USER} }}\n"
        f"service slow {{ listen = 127.0.0.1:{slow}  exec = {nap} {USER} }}\n"
        f"service idle {{ listen = 127.0.0.1:{stand.free_port()}  exec = {nap} {USER} }}\n",
        *kinds,
    )
    for _ in range(20):
        stand.ask(port)
    for _ in range(2):
        stand.ask(slow)
    daemon.wait_idle()
    families = metrics_of(daemon)
    start, life = families["superd_spawn_seconds"], families["superd_connection_seconds"]
    for service, count in (("fast", 20), ("slow", 2), ("idle", 0)):
        assert start.value("_count", service=service) == count
        assert life.value("_count", service=service) == count
    assert start.value("_bucket", service="fast", le="5.0") == 20
    assert start.value("_sum", service="fast") > 0
    assert life.value("_bucket", service="slow", le="0.1") == 0
    assert life.value("_sum", service="slow") >= 0.6


def test_a_program_that_never_runs_is_no_start(superd, tmp_path):
    port = stand.free_port()
    gone = tmp_path / "gone"
    gone.write_text("#!/bin/sh\n")
    gone.chmod(0o755)
    daemon = superd(
        LOG + f"service one {{ listen = 127.0.0.1:{port}  exec = {gone} {USER} }}\n"
    )
    gone.unlink()
    stand.ask(port)
    daemon.wait_event("error", step="exec")
    daemon.wait_idle()
    families = metrics_of(daemon)
    assert families["superd_spawn_seconds"].value("_count", service="one") == 0
    assert families["superd_connection_seconds"].value("_count", service="one") == 0
    assert families["superd_failures"].value("_total", service="one") == 1
    assert daemon.service("one")["failed"] == 1


def test_a_listener_that_is_down(superd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = superd(
            f"service web {{ listen = 127.0.0.1:{port}  exec = /bin/cat {USER} }}\n"
            f"service fine {{ listen = 127.0.0.1:{stand.free_port()}  exec = /bin/cat {USER} }}\n"
        )
        up = metrics_of(daemon)["superd_listener_up"]
        assert up.value(service="web", endpoint=f"tcp 127.0.0.1:{port}") == 0
        assert sum(up.samples.values()) == 1
        listening = metrics_of(daemon)["superd_service_listening"]
        assert listening.value(service="web") == 0
        assert listening.value(service="fine") == 1
        daemon.ctl("pause", "fine")
        listening = metrics_of(daemon)["superd_service_listening"]
        assert listening.value(service="fine") == 0


def test_odd_names_are_escaped(superd):
    """An endpoint may hold what a label has to escape."""
    daemon = superd(
        f'service "a.b-c+d@e_f" {{ listen = \'unix:@superd-{os.getpid()}-"x\\\\\'  '
        f"exec = /bin/cat {USER} }}\n"
    )
    labels, = metrics_of(daemon)["superd_listener_up"].labels()
    assert labels["service"] == "a.b-c+d@e_f"
    assert labels["endpoint"] == daemon.service("a.b-c+d@e_f")["listeners"][0]["endpoint"]
    assert '"' in labels["endpoint"]


# --- the service ------------------------------------------------------------------------------


def test_scraped_with_curl(superd, services, kinds):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nservice metrics {{ listen = 127.0.0.1:{port}\n"
        f'exec = {{ metrics, -s, "PATH" }} {USER} }}\n',
        *kinds,
    )
    daemon.configure(daemon.config_path.read_text().replace("PATH", daemon.control))
    daemon.ctl("reload")
    head, body = scrape(port)
    assert head.startswith("HTTP/1.1 200 OK") and "application/openmetrics-text" in head
    families = openmetrics.parse(body)
    assert families["superd_connections_active"].value(service="metrics") == 1, "itself"
    assert families["superd_config_generation"].value() == 2
    assert scrape(port, "--http1.0")[1].endswith("# EOF\n")
    assert scrape(port, "--head")[1] == ""
    assert scrape(port, "-X", "DELETE")[0].startswith("HTTP/1.1 405 ")
    daemon.wait_idle()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start programs as somebody else")
def test_scraped_as_a_member_of_status_group(superd, services):
    """As the shipped configuration runs it: nobody, in a group that may look."""
    if any(not folder.stat().st_mode & 0o001 for folder in (services, *services.parents)):
        pytest.skip("the build is not open to other users")
    port = stand.free_port()
    config = (
        f"service-directory = {services}\ncontrol-mode = 0660\nstatus-group = 54321\n"
        f"service metrics {{ listen = 127.0.0.1:{port}  group = 54321\n"
        'exec = { metrics, -s, "PATH" } }\n'
    )
    daemon = superd(config)
    daemon.configure(config.replace("PATH", daemon.control))
    daemon.ctl("reload")
    assert openmetrics.parse(stand.ask(port, b"GET /metrics HTTP/1.0\r\n\r\n").decode().partition(
        "\r\n\r\n")[2])
    daemon.configure(config.replace("PATH", daemon.control).replace("  group = 54321", ""))
    daemon.ctl("reload")
    reply = stand.ask(port, b"GET /metrics HTTP/1.0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 503 "), "nobody alone may not"
    daemon.wait_event("stderr", service="metrics")
    daemon.wait_idle()


# --- the storm --------------------------------------------------------------------------------


def storm_services(program, tmp_path):
    """{name: port} and the configuration of services that end in every way."""
    names = {
        "ok": "/bin/cat",
        "nonzero": "/bin/false",
        "signal": program("die", "#!/bin/sh\nkill -KILL $$\n"),
        "acl": "/bin/cat",
        "rate": "/bin/cat",
        "source": program("hold", "#!/bin/sh\nread x\n"),
        "full": program("hold2", "#!/bin/sh\nread x\n"),
        "fail": program("fail", "#!/bin/sh\n"),
    }
    more = {
        "acl": "acl { deny = 127.0.0.0/8 }",
        "rate": "limits { per-source = 0  instances = 256  rate = 1/h  burst = 5 }",
        "source": "limits { per-source = 1 }",
        "full": "limits { instances = 1  per-source = 0  on-full = refuse }",
    }
    ports = {name: stand.free_port() for name in names}
    config = "".join(
        f"service {name} {{ listen = 127.0.0.1:{ports[name]}  exec = {path}  {USER}\n"
        f"{more.get(name, 'limits { instances = 200 }')} }}\n"
        for name, path in names.items()
    )
    return ports, LOG + config


def knock(port):
    """Comes and goes, whatever becomes of it."""
    try:
        stand.ask(port, b"x\n")
    except OSError:
        pass


def counted(events, key):
    """The sum of a field over events, 1 where it is left out."""
    return sum(int(event.get(key, 1)) for event in events)


def test_log_status_and_metrics_agree_after_a_storm(superd, program, tmp_path, kinds):
    """Hundreds of connections of every fate, from many at once; then all three are held together."""
    ports, config = storm_services(program, tmp_path)
    daemon = superd(config, *kinds)
    (tmp_path / "fail").unlink()
    many = [port for name, port in ports.items() if name != "fail"] * 3
    clients = [
        threading.Thread(target=lambda: [knock(port) for port in many]) for _ in range(12)
    ]
    # a few only: a program that keeps failing is throttled
    clients.append(threading.Thread(target=lambda: [knock(ports["fail"]) for _ in range(6)]))
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    daemon.wait_idle()
    status = {service["name"]: service for service in daemon.status()["services"]}
    daemon.send_signal(10)  # SIGUSR1
    daemon.wait_event("status", service="fail")
    # what is summarised is told within a second
    stand.poll(
        "the last summaries",
        lambda: all(
            counted(daemon.events("refuse", service=name), "count") == sum(one["refused"].values())
            and counted(daemon.events("error", service=name), "count") == one["failed"]
            for name, one in status.items()
        ),
    )
    families = metrics_of(daemon)
    for name, one in status.items():
        agree_about(daemon, families, name, one)
    assert status["acl"]["refused"]["acl"] == 36 and status["acl"]["accepted"] == 0
    assert status["ok"]["exited"]["ok"] == 36
    assert status["nonzero"]["exited"]["nonzero"] == 36
    assert status["signal"]["exited"]["signal"] == 36
    assert status["rate"]["refused"]["rate"] == 31
    assert status["fail"]["failed"] > 0
    active = families["superd_connections_active"].samples
    assert sum(active.values()) == 0 and len(active) == len(ports)


def agree_about(daemon, families, name, one):
    """One service: what the log says against the status, and the status against the metrics."""
    assert one["running"] == 0
    exits = daemon.events("exit", service=name)
    assert one["accepted"] == len(daemon.events("accept", service=name))
    assert one["exited"] == {
        "ok": len([event for event in exits if event.get("status") == "0"]),
        "nonzero": len([event for event in exits if event.get("status", "0") != "0"]),
        "signal": len([event for event in exits if "signal" in event]),
    }
    for reason, count in one["refused"].items():
        events = daemon.events("refuse", service=name, reason=reason)
        assert counted(events, "count") == count
        assert families["superd_connections_refused"].value(
            "_total", service=name, reason=reason) == count
    for result, count in one["exited"].items():
        assert families["superd_programs_exited"].value(
            "_total", service=name, result=result) == count
    value = lambda family, suffix="": families[family].value(suffix, service=name)
    assert value("superd_connections_accepted", "_total") == one["accepted"]
    assert value("superd_failures", "_total") == one["failed"]
    assert value("superd_connection_seconds", "_count") == len(exits)
    assert value("superd_spawn_seconds", "_count") == len(exits)
    glance, = daemon.events("status", service=name)
    assert glance["accepted"] == str(one["accepted"]) and glance["state"] == one["state"]
    assert int(glance["refused"]) == sum(one["refused"].values())
    assert [int(glance[key]) for key in one["exited"]] == list(one["exited"].values())
    assert glance["failed"] == str(one["failed"])
