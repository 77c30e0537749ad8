"""What durability costs: the collector against the same Flask app that stores nothing, and against the guide's app.

The first two run behind the same server with the same limits, check the same signatures and read the same bodies; they
differ only in that one answers after the commit that holds the row, and the other at once. The third is what one would
write from Plivo's guide. All are driven in turn over loopback on the same processors, so the ratios within one run are
the figures; the absolute numbers belong to the machine. Processor time per request holds on a busy machine too.
"""

import argparse
import secrets
import tempfile
from pathlib import Path

from bench._servers import APPEND, GUIDE, NOTHING, end_politely, in_turn, machine, running, table

NOTES = {
    APPEND: "WAL, synchronous=FULL, one commit for what gathered. After a 200 neither a kill nor a power cut loses it.",
    GUIDE: "SQLite as it comes (rollback journal, synchronous=FULL), ORM, a commit each, 2 workers × 4 threads. "
    "A kill loses nothing; a power cut just after a 200 can take the row back, because this journal's folder is not "
    "flushed. The number is stored in clear, and a captured signature can carry another body.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    end_politely()
    token = secrets.token_hex(20)
    with (
        tempfile.TemporaryDirectory() as folder,
        running((NOTHING, APPEND, GUIDE), Path(folder), token) as servers,
    ):
        rounds = in_turn(
            servers, token, requests_each=given.requests, rounds=given.rounds, connections=given.connections
        )
    print(
        f"{machine()}, {given.connections} connections, {given.requests:,} requests a round, "
        f"median of {given.rounds} rounds in turn, driver on the same cores"
    )
    print(table(rounds, NOTES))
    ratio = [c.per_second / g.per_second for c, g in zip(rounds[APPEND], rounds[GUIDE], strict=True)]
    print(f"{APPEND} against {GUIDE}: {sorted(ratio)[len(ratio) // 2]:.1f}× its throughput")


if __name__ == "__main__":
    main()
