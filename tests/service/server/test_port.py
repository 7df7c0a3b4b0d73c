"""Whether a server can listen on a port, and what is said if it cannot."""

import errno
import re
import socket

import pytest
from valence.service.errors import ConfigurationError
from valence.service.server import port


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("option", ["--port", "VALENCE_ADMIN_PORT"])
def test_a_port_in_use_is_told_with_what_sets_it(taken, option):
    said = f"cannot listen on port {taken} of 127.0.0.1: another program .* with {option}$"
    with pytest.raises(ConfigurationError, match=said):
        port.require_free("127.0.0.1", taken, option=option)


def test_a_free_port_stays_free():
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    for _ in range(2):
        port.require_free("127.0.0.1", free, option="--port")
    port.require_free("127.0.0.1", 0, option="VALENCE_ADMIN_PORT")


@pytest.mark.parametrize("host", ["192.0.2.1", "name.invalid"])
def test_an_address_of_another_machine_is_named(host):
    with pytest.raises(
        ConfigurationError, match=f"{re.escape(host)}: .*choose another with --host"
    ):
        port.require_free(host, 3000, option="--port")


def test_a_port_of_the_system_has_its_own_remedy():
    denied = PermissionError(errno.EACCES, "Permission denied")
    said = port.describe("0.0.0.0", 80, denied, option="--port")
    assert said.endswith("this user may not use the port; choose one above 1023 with --port")
