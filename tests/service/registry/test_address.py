"""An address names a source, and credentials in it are refused without being quoted."""

from __future__ import annotations

import pytest
from valence.service.errors import ConfigurationError
from valence.service.registry.address import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/mnt/models/", ("file", "/mnt/models")),
        ("file:///mnt/models", ("file", "/mnt/models")),
        ("s3://bucket/production/", ("s3", "bucket/production")),
        ("gs://bucket", ("gs", "bucket")),
        ("hf://owner/name@v2", ("hf", "owner/name@v2")),
        ("hf:owner/name", ("hf", "owner/name")),
        ("oci://example.com:5000/team/models", ("oci", "example.com:5000/team/models")),
    ],
)  # fmt: skip
def test_an_address_is_read(text, address):
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("models", "", "ftp://host/x", "s3://", "file://models", "hf:name", "hf://name"),
        *("oci://host", "s3://a b"),
    ],
)
def test_what_is_no_address_is_refused_with_the_forms(text):
    with pytest.raises(ConfigurationError, match="s3://BUCKET/PATH"):
        Address.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://someone:secret@bucket/models",
        "oci://someone:secret@registry.example.com/models",
        "gs://bucket/models?token=secret",
        "s3://bucket/models#secret",
        "hf://owner/name?token=secret",
    ],
)
def test_credentials_in_an_address_are_not_quoted(text):
    with pytest.raises(ConfigurationError, match="belong in the environment") as error:
        Address.parse(text)
    assert "secret" not in str(error.value)


def test_plain_http_is_for_this_machine_only():
    assert Address.parse("oci://127.0.0.1:5000/models").on_loopback
    assert not Address.parse("oci://registry.example.com/models").on_loopback
