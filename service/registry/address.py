"""The address of a source of models, such as ``s3://bucket/models``."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from valence.service.errors import ConfigurationError

_FORMS = (
    "a folder, file://FOLDER, s3://BUCKET/PATH, gs://BUCKET/PATH, hf:OWNER/NAME or oci://HOST/PATH"
)
_REMOTE = ("s3", "gs", "hf", "oci")
_LOCATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]*")
# what BentoML and registries take as names and versions
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


class Address(NamedTuple):
    """Where a source is; the text of an address never has credentials."""

    kind: str
    location: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that ``text`` names.

        Raises :class:`ConfigurationError`, whose message does not quote what could be credentials.
        """
        if text.startswith("/"):
            return cls("file", text.rstrip("/") or "/")
        if text.startswith("hf:") and not text.startswith("hf://"):
            # as the Hub's own tools write it
            text = text.replace("hf:", "hf://", 1)
        kind, separator, location = text.partition("://")
        location = location.rstrip("/")
        if kind == "file" and location.startswith("/"):
            return cls("file", location)
        if not separator or kind not in _REMOTE:
            raise ConfigurationError(f"a source of models is {_FORMS}")
        if (kind != "hf" and "@" in location) or {"?", "#"} & set(location):
            raise ConfigurationError(
                f"the {kind}:// address of a source of models has a name, a password or options in "
                "it; credentials belong in the environment of the process, where its library looks"
            )
        if not _LOCATION.fullmatch(location) or (kind in ("hf", "oci") and "/" not in location):
            raise ConfigurationError(
                f"the {kind}:// address of a source of models is not complete; it is {_FORMS}"
            )
        return cls(kind, location)

    @property
    def digest(self) -> str:
        """A short name for the folder of the copy of this source."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:12]

    @property
    def on_loopback(self) -> bool:
        """Whether the host of the address is this machine, so that no encryption is needed."""
        return urlsplit(str(self)).hostname in ("localhost", "127.0.0.1", "::1")

    def __str__(self) -> str:
        """The address as a user writes it."""
        return f"{self.kind}://{self.location}"


def is_label(text: str) -> bool:
    """Whether ``text`` may be a part of a path."""
    return _LABEL.fullmatch(text) is not None


def check_label(label: str, *, what: str) -> str:
    """``label`` if it may be a part of a path; raises :class:`ConfigurationError`."""
    if not is_label(label):
        raise ConfigurationError(
            f"{label[:80]!r} is no {what}: it has 1 to 128 characters of a-z, 0-9, '.', '_' and "
            "'-', and begins with a letter or a digit"
        )
    return label
