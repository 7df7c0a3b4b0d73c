"""Sources in buckets of S3 and of Google Cloud Storage, which write an object on a condition."""

from __future__ import annotations

from valence.service.sources.file_tree import FileTree
from valence.service.sources.source import AliasMoved

# the statuses of S3 for a condition that does not hold: another object, none, another write now
_REFUSED = (404, 409, 412)


class S3Bucket(FileTree):
    """The source at an ``s3://`` address."""

    def mark_alias(self, name: str, alias: str) -> str | None:
        """The ETag of the object."""
        found = self._describe(self._find_alias(name, alias))
        return None if found is None else str(found["ETag"])

    def write_alias(self, name: str, alias: str, content: bytes, *, mark: str | None) -> None:
        """Write the object of an alias, if its ETag is ``mark`` still."""
        condition = {"IfNoneMatch": "*"} if mark is None else {"IfMatch": mark}
        try:
            self._files.pipe_file(self._find_alias(name, alias), content, **condition)
        except OSError as error:
            answer = getattr(error.__cause__, "response", {})
            if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") in _REFUSED:
                raise AliasMoved from None
            raise


class GoogleBucket(FileTree):
    """The source at a ``gs://`` address."""

    def mark_alias(self, name: str, alias: str) -> str | None:
        """The generation of the object."""
        found = self._describe(self._find_alias(name, alias))
        return None if found is None else str(found["generation"])

    def write_alias(self, name: str, alias: str, content: bytes, *, mark: str | None) -> None:
        """Write the object of an alias, if its generation is ``mark`` still."""
        bucket, _, key = self._find_alias(name, alias).partition("/")
        # of conditions gcsfs itself knows only "there is no object"
        uploads = self._files.base.replace("/storage/v1/", "/upload/storage/v1/")
        try:
            self._files.call(
                "POST",
                f"{uploads}b/{{}}/o",
                bucket,
                uploadType="media",
                name=key,
                ifGenerationMatch=mark or "0",
                headers={"Content-Type": "application/json"},
                data=content,
            )
        except FileExistsError:
            raise AliasMoved from None
