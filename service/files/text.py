"""The decoded text of a file: lines that are never held whole if they are too long, or pieces.

A byte that the encoding does not have becomes a lone surrogate (``surrogateescape``), so that the
line keeps its form; :meth:`Text.find_damage` tells it.
"""

from __future__ import annotations

import codecs
import io
import itertools
import re
from collections.abc import Iterator
from functools import cached_property

from valence.service.errors import ConfigurationError
from valence.service.files import encodings
from valence.service.files.compression import Damage
from valence.service.files.fault import DAMAGE, SOUND, Fault
from valence.service.files.lines import read_lines, read_lines_within, split_lines
from valence.service.files.table import Table

_HEAD_CHARACTERS = 2**16
_FIRST_END = re.compile(r"[^\r\n]*(\r\n|\r|\n)")
_FIRST_END_OF_ROW = re.compile(r'(?:[^"\r\n]|"[^"]*")*(\r\n|\r|\n)')
_PIECE_BYTES = 2**14
_ASCII = "".join(map(chr, range(128)))
_ESCAPED = re.compile("[\udc80-\udcff]")


class Text:
    """The text in a stream of the bytes of ``table``, in ``encoding``, which may name two codecs.

    With ``part``, only the lines that begin in this range of bytes. ``start`` is the text of the
    first :data:`~valence.service.files.encodings.PREFIX_BYTES`, without a byte order mark.
    """

    def __init__(
        self,
        table: Table,
        stream: io.BufferedReader,
        encoding: str,
        part: tuple[int, int] | None = None,
    ) -> None:
        self.codec, self._second = encodings.split_encodings(encoding)
        self._table = table
        self._stream = stream
        self._part = part
        self.damaged = False
        """Whether :meth:`find_damage` may find any in the lines so far."""
        self.origin = f" from byte {part[0]:,}" if part and part[0] else ""
        """What follows the number of a line, which counts from the first byte of the part."""
        # the bytes of a line feed are a line feed in UTF-8, and in others that share ASCII
        shares_ascii = self._second is not None and _is_ascii_compatible(self.codec)
        self._splits_bytes = self.codec == "utf-8" or shares_ascii
        self._prefix = b"" if part else self._peek()

    @cached_property
    def start(self) -> str:
        """The text at the beginning of the file."""
        return self._prefix.decode(self.codec, "replace").removeprefix("\ufeff")

    def find_line_end(self, *, quotes: bool = False) -> str:
        """What ends the lines: a carriage return, as of old Macintosh programs, or a line feed.

        With ``quotes``, an end of line between quotation marks does not count.
        """
        if "\r" not in self.start:
            return "\n"
        first = (_FIRST_END_OF_ROW if quotes else _FIRST_END).match(self.start[:_HEAD_CHARACTERS])
        return "\r" if first is not None and first[1] == "\r" else "\n"

    def read_lines(self, end: str = "\n") -> Iterator[str | None]:
        """Each line with its ``end``; None for a line that is too long.

        Iteration raises :class:`ConfigurationError`.
        """
        return self._decode_lines(end) if self._splits_bytes else self._split_text(end)

    def read_pieces(self) -> Iterator[str]:
        """The text in pieces of any size. Iteration raises :class:`ConfigurationError`."""
        if self._second is not None:
            for number, line in enumerate(self.read_lines()):
                if line is None:
                    raise ConfigurationError(
                        f"{self._table.path}, after line {number}: a line is too long to try two "
                        f"encodings; name one, such as --encoding {self.codec}"
                    )
                yield line
            return
        number = 0
        try:
            for piece in self._decode_pieces():
                number += piece.count("\n")
                yield piece
        except (Damage, UnicodeError) as error:
            raise self._explain(error, number) from None

    def find_damage(self, text: str) -> Fault:
        """Why ``text`` of this file is not in its encoding, if it is not."""
        found = None
        if self.damaged and not text.isascii() and not _is_encodable(text):
            found = _ESCAPED.search(text)
        if found is None:
            return SOUND
        byte = f"the byte 0x{ord(found[0]) - 0xDC00:02x} is not {self.codec.upper()}"
        if self.codec == "utf-8":
            return Fault(
                f"{byte}; set the encoding of the lines that are not in UTF-8 too, such as "
                "--encoding utf-8,cp1252",
                DAMAGE,
            )
        return Fault(f"{byte}; set another encoding with --encoding", DAMAGE)

    def _peek(self) -> bytes:
        try:
            return self._stream.peek(encodings.PREFIX_BYTES)
        except Damage as error:
            raise self._explain(error, 0) from None

    def _decode_lines(self, end: str) -> Iterator[str | None]:
        codec, second = self.codec, self._second
        if self._part is not None:
            encoded = read_lines_within(self._stream, *self._part)
        elif end == "\n":
            encoded = read_lines(self._stream)
        else:
            encoded = split_lines(self._read_pieces(), end.encode())
        number = 0
        try:
            for number, line in enumerate(encoded, 1):
                if line is None:
                    yield None
                    continue
                if number == 1:
                    # the byte order mark does not belong to the name of the first column
                    line = line.removeprefix(codecs.BOM_UTF8)  # noqa: PLW2901
                try:
                    yield line.decode(codec)
                except UnicodeDecodeError:
                    self.damaged = True
                    yield line.decode(second or codec, "surrogateescape")
        except Damage as error:
            raise self._explain(error, number) from None

    def _split_text(self, end: str) -> Iterator[str | None]:
        """The lines of an encoding in which a line feed has several bytes, or few know it."""
        number = 0
        try:
            for number, line in enumerate(split_lines(self._decode_pieces(), end), 1):  # noqa: B007 - for errors
                yield line
        except (Damage, UnicodeError) as error:
            raise self._explain(error, number) from None

    def _decode_pieces(self) -> Iterator[str]:
        """The text without its byte order mark."""
        codec = "utf-8-sig" if self.codec == "utf-8" else self.codec
        decoder = codecs.getincrementaldecoder(codec)()
        mark = "\N{BOM}"
        for data in itertools.chain(self._read_pieces(), (b"",)):
            before = decoder.getstate()
            try:
                piece = decoder.decode(data, final=not data)
            except UnicodeDecodeError:
                # only text behind a damaged byte is searched for damage, which takes time
                self.damaged = True
                decoder.errors = "surrogateescape"
                decoder.setstate(before)
                piece = decoder.decode(data, final=not data)
            if piece:
                yield piece.removeprefix(mark)
                mark = ""

    def _read_pieces(self) -> Iterator[bytes]:
        while data := self._stream.read(_PIECE_BYTES):
            yield data

    def _explain(self, error: Damage | UnicodeError, line: int) -> ConfigurationError:
        where = f"{self._table.path}, after line {line}"
        if isinstance(error, Damage):
            return ConfigurationError(
                f"{where}: the compressed file is damaged or cut short; copy the file again"
            )
        # an error of one place has bytes of it
        reason = f"not in {self.codec}" if isinstance(error, UnicodeDecodeError) else str(error)
        return ConfigurationError(f"{where}: {reason}; see --encoding")


def _is_encodable(text: str) -> bool:
    """Whether ``text`` has no lone surrogate; faster than a search for one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_ascii_compatible(codec: str) -> bool:
    """Whether bytes below 128 are ASCII characters, so that lines can be split before decoding."""
    try:
        return bytes(range(128)).decode(codec) == _ASCII
    except UnicodeError:
        return False
