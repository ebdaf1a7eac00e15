"""Large arrays of passing results, in files without a name: no memory that grows with rows, and nothing left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from party.errors import StorageError

SCRATCH_FROM_BYTES = 16 << 20  # smaller arrays are in memory: many of them fit
_BLOCK = bytes(1 << 20)


class Scratch:
    """Makes arrays that the operating system may put out of memory.

    Args:
        folder: in whose file system the arrays are; None keeps all of them in memory.
        from_bytes: size from which an array is in a file.
    """

    def __init__(self, folder: Path | None = None, *, from_bytes: int = SCRATCH_FROM_BYTES) -> None:
        self._folder = folder
        self._from_bytes = from_bytes

    def array(self, shape: int | tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array whose content is arbitrary; its file is gone once nothing refers to it.

        Args:
            shape: its shape.
            kind: type of its elements.

        Raises:
            StorageError: there is no room for it.
        """
        dtype = np.dtype(kind)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if self._folder is None or size < self._from_bytes:
            return np.empty(shape, dtype)
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                # Written and not only made longer: a page that finds no room on the disk later would end the process.
                for start in range(0, size, len(_BLOCK)):
                    file.write(_BLOCK[: size - start])
                file.flush()
                return np.asarray(np.memmap(file, dtype, mode="r+", shape=shape))
        except OSError as error:
            raise StorageError(
                "there is no room for passing results",
                where=self._folder,
                expected=f"{size} bytes",
                received=error.strerror or type(error).__name__,
                fix="check the free space of the state folder",
                public_message="there is no room for passing results in its state folder",
            ) from error


IN_MEMORY = Scratch()  # keeps every array in memory
