from __future__ import annotations

import math
import subprocess
import sys

import httpx
import pytest
import valence
from valence.service.client import address
from valence.service.errors import ConfigurationError

KEY = "vk_secret-key"
CLIENTS = (valence.Client, valence.AsyncClient)


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("url", ["", "127.0.0.1:3000", "ftp://host", "http://", "/v1", "file:///x"])
def test_what_is_no_address_is_named(make, url):
    with pytest.raises(ConfigurationError, match=r"is not the address of a service.*http://"):
        make(url)


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("key", ["", "secret key", "secret\nkey", "schlüssel-secret", " secret"])
def test_what_is_no_key_is_refused_and_not_shown(make, key):
    with pytest.raises(ConfigurationError, match="API key") as refused:
        make(key=key)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_time_without_end_is_refused(make, seconds):
    with pytest.raises(ConfigurationError, match=r"timeout=.*above 0"):
        make(timeout=seconds)


@pytest.mark.parametrize("make", CLIENTS)
def test_a_client_does_not_show_its_key_or_password(make):
    client = make("https://user:password@host:8443/prefix/", key=KEY)
    assert repr(client) == f"{make.__name__}(https://host:8443/prefix)"
    assert KEY not in repr(vars(client))


@pytest.mark.parametrize("make", CLIENTS)
def test_without_httpx_the_extra_is_named(monkeypatch, make):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'valence\[client\]'"):
        make()


def test_a_request_tells_its_key_and_how_long_it_waits():
    made = address.make_address("http://host/prefix/", KEY).fill(
        address.Request("GET", "/v1/models", seconds=1.5)
    )
    assert made["url"] == "http://host/prefix/v1/models"
    assert made["headers"]["authorization"] == f"Bearer {KEY}"
    assert made["headers"]["x-request-timeout-ms"] == "1500"
    assert (made["timeout"], made["follow_redirects"]) == (1.5, False)


def test_a_connection_that_is_refused_is_told():
    client = valence.Client("http://127.0.0.1:9", timeout=0.5)
    with client, pytest.raises(valence.ServiceUnreachable, match="no answer"):
        client.classify("good")
    assert client._http.is_closed


async def test_a_connection_that_is_refused_is_told_to_a_loop():
    async with valence.AsyncClient("http://127.0.0.1:9", timeout=0.5) as client:
        with pytest.raises(valence.ServiceUnreachable, match="no answer"):
            await client.classify("good")
    assert client._http.is_closed


def test_a_given_http_client_stays_open():
    with httpx.Client() as http:
        with valence.Client(http=http):
            pass
        assert not http.is_closed


def test_a_client_needs_no_server_packages():
    """Neither a web framework nor BentoML, torch or the engines."""
    code = (
        "import sys, valence\nvalence.Client(), valence.AsyncClient()\n"
        "heavy = {'bentoml', 'starlette', 'torch', 'prometheus_client', 'sklearn', 'pyarrow'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
