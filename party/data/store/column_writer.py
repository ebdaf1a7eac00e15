"""Writes the columns of a file to disk as it is read, some rows at a time.

The rows of a column first go to a file of their own, encoded by the distinct texts of each batch. Then, column by
column, these are made one: memory holds the codes and distinct texts of one column, whatever the file has.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from party.data.scratch import Scratch
from party.data.store.stored_columns import (
    DESCRIPTION,
    TEXTS,
    Description,
    StoredColumn,
    codes_path,
    description_bytes,
    texts_path,
)
from party.data.values.texts import CanonicalColumn
from party.errors import StorageError
from party.security.files import private_folder, write_atomically

_PARTIAL = ".partial"
_FILE_MODE = 0o600
_ROWS_OF_TEXTS = 1 << 20  # rows that are written together
_ENCODED = pa.dictionary(pa.int32(), pa.large_string())
_PLAIN = pa.large_string()
Meaning = Callable[[pa.Array], CanonicalColumn]


class ColumnWriter:
    """Writes a store; nothing is in its place before it is complete.

    Args:
        folder: to write in, beside the folder of the store; what it holds is removed.
        names: the columns.
        plain: those of them whose texts do not repeat, or hardly.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, names: Sequence[str], plain: Collection[str]) -> None:
        self._names = tuple(names)
        self._plain = frozenset(plain)
        self._rows = 0
        private_folder(folder.parent)
        self._partial = folder.with_name(folder.name + _PARTIAL)
        self._merged: dict[str, int] = {}
        shutil.rmtree(self._partial, ignore_errors=True)
        private_folder(self._partial)
        self._streams: list[pa.RecordBatchStreamWriter] = []
        with self._storing():
            self._streams += [self._stream(number, name) for number, name in enumerate(self._names)]

    def append(self, batch: Mapping[str, pa.Array | pa.ChunkedArray]) -> None:
        """Adds rows.

        Args:
            batch: the texts of every column, without nulls; all of the same number of rows.

        Raises:
            StorageError: they cannot be written.
        """
        with self._storing():
            for name, stream in zip(self._names, self._streams, strict=True):
                for chunk in _chunks(batch[name]):
                    encoded = chunk if name in self._plain else _encoded(chunk)
                    stream.write_batch(pa.record_batch([encoded], names=[TEXTS]))
        self._rows += len(batch[self._names[0]])

    def finish(self, folder: Path, *, meanings: Mapping[str, Meaning], sha256: str, notes: Sequence[str] = ()) -> None:
        """Completes the store and puts it in its place.

        Args:
            folder: of the store.
            meanings: by column, what its distinct texts mean; those of others stand for themselves.
            sha256: hexadecimal digest of the files.
            notes: what the owner should know of the files, in sentences.

        Raises:
            DataError: a text of a column cannot be used.
            StorageError: it cannot be written.
        """
        with self._storing():
            for stream in self._streams:
                stream.close()
            for number, name in enumerate(self._names):
                if name in self._plain:
                    self._finish_plain(number)
                else:
                    self._finish_repeating(number, meanings.get(name))
                self._spilled(number).unlink()
            columns = tuple(
                StoredColumn(name=name, number=number, repeats=name not in self._plain)
                for number, name in enumerate(self._names)
            )
            description = Description(
                rows=self._rows, sha256=sha256, notes=tuple(notes), merged=self._merged, columns=columns
            )
            write_atomically(self._partial / DESCRIPTION, description_bytes(description))
            for path in self._partial.iterdir():
                _sync(path)
            shutil.rmtree(folder, ignore_errors=True)
            self._partial.rename(folder)
            _sync(folder.parent)

    def abandon(self) -> None:
        """Removes what was written so far."""
        for stream in self._streams:
            with suppress(OSError, pa.ArrowException):  # what a full disk did not take, it does not take now
                stream.close()
        shutil.rmtree(self._partial, ignore_errors=True)

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """Makes an error of the disk one that says what to do."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise StorageError(
                "the columns of a file cannot be stored",
                where=self._partial.parent,
                received=type(error).__name__,
                fix="check the free space of the state folder",
                public_message="the columns of a file cannot be stored",
            ) from error

    def _finish_plain(self, number: int) -> None:
        """Makes one array of all batches, so that the file can be mapped as one."""
        scratch, spilled = Scratch(self._partial), self._spilled(number)
        characters = sum(_content(batch).nbytes for batch in _batches(spilled))
        offsets, content = scratch.array(self._rows + 1, np.int64), scratch.array(characters, np.uint8)
        rows = end = offsets[0] = 0
        for batch in _batches(spilled):
            part = _content(batch)
            content[end : end + len(part)] = part
            offsets[rows + 1 : rows + 1 + len(batch)] = _offsets(batch)[1:] - _offsets(batch)[0] + end
            rows, end = rows + len(batch), end + len(part)
        buffers = pa.py_buffer(offsets), pa.py_buffer(content)
        _write_texts(texts_path(self._partial, number), pa.LargeStringArray.from_buffers(self._rows, *buffers))

    def _finish_repeating(self, number: int, meaning: Meaning | None) -> None:
        chunks = pa.chunked_array(list(_batches(self._spilled(number))), type=_ENCODED).unify_dictionaries()
        texts = chunks.chunk(0).dictionary if chunks.num_chunks else pa.array([], _PLAIN)
        code_of = np.arange(len(texts), dtype=np.int32)
        if meaning is not None and len(texts):
            found = meaning(texts)
            self._merged |= {self._names[number]: found.merged} if found.merged else {}
            encoded = found.texts.combine_chunks().dictionary_encode()
            encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
            texts, code_of = encoded.dictionary, encoded.indices.to_numpy().astype(np.int32, copy=False)
        path = codes_path(self._partial, number)
        _private_file(path)
        with path.open("wb") as file:
            for chunk in chunks.chunks:
                codes = code_of[chunk.indices.to_numpy(zero_copy_only=False)]
                file.write(np.ascontiguousarray(codes, "<i4").data)
        _write_texts(texts_path(self._partial, number), texts)

    def _stream(self, number: int, name: str) -> pa.RecordBatchStreamWriter:
        kind = _PLAIN if name in self._plain else _ENCODED
        return pa.ipc.new_stream(_private_file(self._spilled(number)), pa.schema([(TEXTS, kind)]))

    def _spilled(self, number: int) -> Path:
        return self._partial / f"{number}.batches"


def _chunks(column: pa.Array | pa.ChunkedArray) -> Sequence[pa.Array]:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [chunk.cast(_PLAIN) for chunk in chunks]


def _encoded(chunk: pa.Array) -> pa.DictionaryArray:
    return chunk.dictionary_encode()


def _batches(path: Path) -> Iterator[Any]:
    with pa.memory_map(str(path)) as source:
        for batch in pa.ipc.open_stream(source):
            yield batch.column(0)


def _offsets(texts: Any) -> NDArray[np.int64]:
    """Where each text begins among the bytes of all, and the end of the last."""
    return np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]


def _content(texts: Any) -> NDArray[np.uint8]:
    """The bytes of all texts."""
    offsets, content = _offsets(texts), texts.buffers()[2]
    if content is None:
        return np.zeros(0, np.uint8)
    return np.frombuffer(content, np.uint8)[offsets[0] : offsets[-1]]


def _write_texts(path: Path, texts: Any) -> None:
    schema = pa.schema([(TEXTS, _PLAIN)])
    with pa.OSFile(_private_file(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch([texts], schema=schema))


def _private_file(path: Path) -> str:
    """Makes an empty file that its owner alone may read; what opens it to write keeps that."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))
    return str(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
