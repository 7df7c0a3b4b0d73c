"""Sources in repositories of the Hugging Face Hub, where each write is a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from valence.service.sources.file_tree import FileTree
from valence.service.sources.source import AliasMoved

CARD = "report/MODEL_CARD.md"
"""The model card in a version, as training writes it."""
# by which the Hub finds models
_METADATA = b"---\nlibrary_name: valence\npipeline_tag: text-classification\n---\n\n"
# the statuses of the Hub for a commit on another one than the last
_CONFLICTS = (409, 412)


class HubRepository(FileTree):
    """The source at an ``hf://`` address."""

    def mark_alias(self, name: str, alias: str) -> str | None:
        """The last commit of the repository: the Hub compares nothing smaller."""
        place = self._files.resolve_path(self._find_alias(name, alias))
        found = self._api.repo_info(
            place.repo_id, repo_type=place.repo_type, revision=place.revision
        )
        return None if found.sha is None else str(found.sha)

    def write_version(self, name: str, version: str, folder: Path, files: Sequence[str]) -> None:
        """Write ``files`` in one commit, and the model card as the page of the repository."""
        contents: dict[str, Path | bytes] = {
            self._path(name, version, file): folder / file for file in files
        }
        if CARD in files:
            repository = "/".join(self.address.location.split("/")[:2])
            contents[f"{repository}/README.md"] = _METADATA + (folder / CARD).read_bytes()
        self._commit(contents, f"Add {name}:{version}")

    def write_alias(self, name: str, alias: str, content: bytes, *, mark: str | None) -> None:
        """Write the file of an alias, if ``mark`` is the last commit still."""
        contents = {self._find_alias(name, alias): content}
        self._commit(contents, f"Move {name}@{alias}", parent=mark)

    def _commit(
        self, contents: Mapping[str, Path | bytes], message: str, *, parent: str | None = None
    ) -> None:
        from huggingface_hub import CommitOperationAdd
        from huggingface_hub.errors import HfHubHTTPError

        places = [self._files.resolve_path(path) for path in contents]
        try:
            self._api.create_commit(
                places[0].repo_id,
                [
                    CommitOperationAdd(place.path_in_repo, content)
                    for place, content in zip(places, contents.values(), strict=True)
                ],
                commit_message=message,
                repo_type=places[0].repo_type,
                revision=places[0].revision,
                parent_commit=parent,
            )
        except HfHubHTTPError as error:
            if parent is not None and error.response.status_code in _CONFLICTS:
                raise AliasMoved from None
            raise
        finally:
            # of the files before the commit
            self._files.invalidate_cache()

    @property
    def _api(self) -> Any:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self._files.endpoint, token=self._files.token)
