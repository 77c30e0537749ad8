"""Makes the sample that is kept with the project: ``python -m verify_analytics.simulate.sample [FOLDER]``.

A week of a simulated provider, small enough to be committed. Run it again after the simulator has changed; a test says
so when the kept files no longer are what it makes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from verify_analytics.simulate.features import Features
from verify_analytics.simulate.history import history

if TYPE_CHECKING:
    import pandas as pd

SESSIONS, DAYS, SEED = 420, 7, 29
END = datetime(2026, 10, 29, tzinfo=UTC)
FOLDER = Path("data/sample")
# Clocks are right here, so that a first look at the sample is not about clocks. The application's reports stop for
# longer than usual: in so few sessions a shorter silence could not be told from chance.
FEATURES = Features(clock_faults=0.0, reporter_gaps=((0.0, 0.06), (0.5, 0.6)))


def tables() -> dict[str, pd.DataFrame]:
    """Make the sample's callbacks, verifications and pulse, as a collector would have stored them."""
    return history(SESSIONS, seed=SEED, end=END, days=DAYS, features=FEATURES).frames()


def write(folder: Path) -> dict[str, int]:
    """Write ``callbacks.parquet``, ``verifications.parquet``, ``pulse.parquet`` and ``manifest.json``.

    Parameters
    ----------
    folder
        Made if it does not exist; files of these names in it are replaced.

    Returns
    -------
    dict
        Rows of each table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, digests = {}, {}
    for name, table in tables().items():
        file = folder / f"{name}.parquet"
        pq.write_table(_plain(table), file, compression="zstd", compression_level=19, **_packed(table))
        rows[name] = len(table)
        digests[file.name] = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    manifest = {
        "synthetic": True,
        "made_by": "python -m verify_analytics.simulate.sample",
        "seed": SEED,
        "sessions": SESSIONS,
        "days": DAYS,
        "end": f"{END:%Y-%m-%dT%H:%MZ}",
        "rows": rows,
        "files": digests,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return rows


def _plain(table: pd.DataFrame) -> pa.Table:
    """Give the types that every engine reads, without pandas' own notes, which repeat the schema and its version."""
    made = pa.Table.from_pandas(table, preserve_index=False)
    texts = [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in made.schema]
    return made.cast(pa.schema(texts)).replace_schema_metadata(None)


def _packed(table: pd.DataFrame) -> dict[str, Any]:
    """Keep moments as differences (a minute follows a minute), and everything else by dictionary."""
    moments = [str(name) for name, kind in table.dtypes.items() if str(kind).startswith("datetime64")]
    return {
        "column_encoding": dict.fromkeys(moments, "DELTA_BINARY_PACKED"),
        "use_dictionary": [str(name) for name in table.columns if name not in moments],
    }


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    print(f"{place}: " + ", ".join(f"{count:,} {name}" for name, count in write(place).items()))
