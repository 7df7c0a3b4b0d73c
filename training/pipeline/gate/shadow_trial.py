"""The trial of a challenger by shadow scoring: servers score texts of clients with it for hours.

The challenger becomes the alias ``challenger``, which servers with ``VALENCE_SHADOW`` load. The
time counts from when the alias was set, so a run that was interrupted continues its wait.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from valence.service.errors import ConfigurationError
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.shadow import check_evidence
from valence.training.pipeline.gate.verdict import Check
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.shadow.evidence import Report, sum_evidence
from valence.training.shadow.sources import read_metrics

ALIAS = "challenger"
# how long one sleep lasts: a clock that was set is noticed after it
_SLEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ShadowTrial:
    """How long a challenger is tried, and where the servers tell what they have counted."""

    hours: float
    sources: tuple[str, ...]
    key: str = ""
    """An API key with the scope ``metrics``, if the servers want one."""

    def require_servers(self, name: str) -> None:
        """Raise :class:`ConfigurationError` unless a server scores challengers of ``name``."""
        if self._read_report(name).share is None:
            raise ConfigurationError(
                f"no server behind {', '.join(self.sources)} scores a challenger of {name}; start "
                f"them with VALENCE_SHADOW={name}={ALIAS}:0.1"
            )

    def judge(
        self, champion: str, challenger: str, rules: Rules, reporter: Reporter
    ) -> tuple[Check, ...]:
        """Have servers try ``challenger``, wait, and check what they have counted.

        Both are tags, ``name:version``. Raises :class:`ConfigurationError` if a source cannot be
        read after the wait; another call then reads it again at once.
        """
        name, _, version = challenger.partition(":")
        alias = store.set_alias(f"{name}@{ALIAS}", version)
        ends = datetime.fromisoformat(alias.changes[-1].at) + timedelta(hours=self.hours)
        reporter.say(
            f"{challenger} is {name}@{ALIAS}: servers score texts of clients with it until "
            f"{ends.isoformat(timespec='minutes')}"
        )
        while (left := (ends - datetime.now(UTC)).total_seconds()) > 0:
            time.sleep(min(left, _SLEEP_SECONDS))
        evidence = self._read_report(name).find(champion.partition(":")[2], version)
        return check_evidence(evidence, rules)

    def end(self, challenger: str) -> None:
        """Delete the alias if it names ``challenger`` still: servers then free its memory."""
        name, _, version = challenger.partition(":")
        alias = store.list_aliases(name).get(ALIAS)
        if alias is not None and alias.version == version:
            store.delete_alias(f"{name}@{ALIAS}")

    def _read_report(self, name: str) -> Report:
        return sum_evidence(name, read_metrics(self.sources, key=self.key))
