"""The room for one more version within the memory budget, and which versions give way to it."""

from __future__ import annotations

from collections.abc import Sequence

from valence.service.classifier.architecture import Architecture
from valence.service.inference.footprint import estimate_bytes
from valence.service.inference.reload.candidate import Refusal
from valence.service.inference.scorer import Scorer


def choose_leaving(
    architecture: Architecture,
    resident: Sequence[Scorer],
    idle: Sequence[Scorer],
    *,
    budget_bytes: int,
    required: bool,
) -> list[Scorer]:
    """The versions of ``idle``, the first ones first, that leave for a version of this shape.

    ``resident`` are the versions in memory, of which ``idle`` may leave. Raises :class:`Refusal` if
    all of them are not enough, unless the version is ``required``.
    """
    needed = estimate_bytes(architecture)
    held = sum(estimate_bytes(scorer.manifest.architecture) for scorer in resident)
    leaving: list[Scorer] = []
    for scorer in idle:
        if held + needed <= budget_bytes:
            break
        held -= estimate_bytes(scorer.manifest.architecture)
        leaving.append(scorer)
    if held + needed > budget_bytes and not required:
        raise Refusal(
            "no_room",
            f"it takes {_mib(needed)} MiB beside the {_mib(held)} MiB of versions that names mean, "
            f"VALENCE_RESIDENT_MIB allows {_mib(budget_bytes)}; delete an alias or raise the "
            "setting",
        )
    return leaving


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f}"
