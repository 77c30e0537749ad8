"""Writes numbers as text, whole columns at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_DIGITS = np.frombuffer(b"".join(f"{byte:02x}".encode() for byte in range(256)), dtype=np.uint16)
# Where the bytes of an identifier stand among its dashes.
_UUID = [i for i in range(36) if i not in {8, 13, 18, 23}]


def digits(raw: Bytes) -> Bytes:
    """Write bytes as hexadecimal digits in ASCII: shape (rows, bytes) → (rows, 2 · bytes)."""
    return _DIGITS[raw].view(np.uint8)


def hexadecimal(raw: Bytes) -> Any:
    """Write each row of bytes as one text of hexadecimal digits, an Arrow array.

    Examples
    --------
    >>> hexadecimal(np.array([[0, 171], [255, 1]], dtype=np.uint8)).to_pylist()
    ['00ab', 'ff01']
    """
    return _column(digits(raw))


def uuids(raw: Bytes) -> list[str]:
    """Write each row of 16 bytes as an identifier of 36 characters, formed like a random UUID (version 4).

    Examples
    --------
    >>> uuids(np.arange(16, dtype=np.uint8)[None])
    ['00010203-0405-4607-8809-0a0b0c0d0e0f']
    """
    raw = raw.copy()
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    text = np.full((len(raw), 36), ord("-"), dtype=np.uint8)
    text[:, _UUID] = digits(raw)
    whole = text.tobytes().decode("ascii")
    return [whole[i : i + 36] for i in range(0, len(whole), 36)]


def _column(text: Bytes) -> Any:
    """Give rows of ASCII characters as an Arrow array of texts, without a copy."""
    rows, width = text.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32) if width else np.zeros(rows + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
