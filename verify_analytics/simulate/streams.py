"""Gives every feature random numbers of its own.

Every feature has its own stream of random numbers, found by its name, the part of the history and the population. So a
feature that draws more, or a new one, changes no number that another feature draws.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from verify_analytics.simulate import texts

Floats = NDArray[np.float64]
# Part of a history that belongs to no chunk: what is drawn once for the whole period.
WHOLE = 0


class Streams:
    """Random numbers by name, the same for the same seed on every run.

    Parameters
    ----------
    seed
        Of the whole history.
    chunk
        Which part of the history, counted from 1; 0 for what is drawn once for the whole period.
    population
        People, bots: each has its own numbers, so that a bot more changes no person.

    Notes
    -----
    A stream may be drawn from once: two draws under one name would tie two features together. Names are hashed with
    SHA-256 and not with ``hash``, which differs between runs of Python.

    Examples
    --------
    >>> one, other = Streams(7), Streams(7)
    >>> _ = one.uniform("an earlier feature", 3)
    >>> float(one.uniform("delay", 1)[0]) == float(other.uniform("delay", 1)[0])
    True
    """

    def __init__(self, seed: int, chunk: int = WHOLE, population: str = "people") -> None:
        self._seed = seed
        self._where = f"{chunk}/{population}"
        self._drawn: set[str] = set()

    def generator(self, name: str) -> np.random.Generator:
        """Give the stream of a feature; each name once."""
        if name in self._drawn:
            raise RuntimeError(f"the stream {name!r} was drawn from before; give the second draw a name of its own")
        self._drawn.add(name)
        key = hashlib.sha256(f"{self._where}/{name}".encode()).digest()
        words = [int.from_bytes(key[i : i + 4], "big") for i in range(0, 16, 4)]
        return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(self._seed, spawn_key=words)))

    def uniform(self, name: str, shape: int | tuple[int, ...]) -> Floats:
        """Draw from [0, 1)."""
        return self.generator(name).random(shape)

    def lognormal(self, name: str, shape: int | tuple[int, ...], *, sigma: float) -> Floats:
        """Draw positive numbers with median 1 whose logarithms spread by `sigma`: the shape of waiting times."""
        return np.exp(sigma * self.generator(name).standard_normal(shape))

    def uuids(self, name: str, count: int) -> list[str]:
        """Draw identifiers of 36 characters, formed like random UUIDs (version 4)."""
        return texts.uuids(np.frombuffer(self.generator(name).bytes(16 * count), dtype=np.uint8).reshape(count, 16))
