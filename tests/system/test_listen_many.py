"""Thousands of listeners, and descriptors beyond what select can hold."""

# Thousands of programs at once leave nothing of the machine to tests beside them.
# tests/run: alone

import resource

import pytest

import stand


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_two_thousand_listeners_three_thousand_connections(superd, services, spawn, sanitized):
    wanted, connections = (200, 300) if sanitized else (2000, 3000)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 8000:
        pytest.skip("hard RLIMIT_NOFILE below 8000")
    ports = [stand.free_port() for _ in range(wanted)]
    services_text = "".join(
        f"service s{port} {{ listen = 127.0.0.1:{port} exec = echo }}\n" for port in ports
    )
    daemon = superd(
        f"service-directory = {services}\nmax-instances = 5000\n" + services_text,
        f"--spawn={spawn}",
    )
    clients = [stand.connect(ports[i % wanted]) for i in range(connections)]
    for client in clients:
        client.sendall(b"x")
    for client in clients:
        assert client.recv(1) == b"x"
    assert len(daemon.children()) == connections
    for client in clients:
        client.close()
    daemon.wait_event("exit", count=connections)
    daemon.wait_idle()


def test_descriptors_that_select_cannot_hold(superd, services):
    """Forced to select, what does not fit is reported and the rest serves, without spinning."""
    ports = [stand.free_port() for _ in range(1000)]
    listens = ", ".join(f"127.0.0.1:{port}" for port in ports)
    daemon = superd(
        f"service-directory = {services}\n"
        f"service many {{ listen = {{ {listens} }} exec = echo limits {{ instances = 1 }} }}",
        "--loop=select",
        control=False,  # there is no room for its sessions either
    )
    assert daemon.events("error", service="many")
    with stand.connect(ports[0]) as held:
        held.sendall(b"x")
        assert held.recv(1) == b"x"
        with stand.connect(ports[1]) as waiting:
            before = stand.cpu_seconds(daemon.pid)
            waiting.settimeout(1)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            assert stand.cpu_seconds(daemon.pid) - before < 0.1, "it spins"
            held.close()
            waiting.settimeout(stand.DEADLINE)
            waiting.sendall(b"y")
            assert waiting.recv(1) == b"y"
