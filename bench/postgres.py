"""Rows per second into one PostgreSQL: by one collector, and by two that share it.

The server is a real one, started for the run with durable commits, on this machine: it shares its cores with the
collectors and the driver, so two collectors show that they get along, and grow only as far as cores are left.
Processor time is that of the collectors, without PostgreSQL's own.
"""

import argparse
import contextlib
import secrets
import sys
import tempfile
from pathlib import Path

from bench._load import Round, drive, requests
from bench._servers import end_politely, machine, table
from bench.size import collector
from tests.postgres import PostgresServer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_500, help="in each round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    end_politely()
    token, pepper = secrets.token_hex(20), secrets.token_hex(32)
    server = PostgresServer()
    with contextlib.ExitStack() as stack:
        stack.callback(server.remove)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = server.start().new_database()
        both = []
        for number in range(2):
            place = folder / str(number)
            place.mkdir()
            both.append(stack.enter_context(collector(place, token, pepper, url)))
        sides = {"1 collector": both[:1], "2 collectors": both}
        rounds: dict[str, list[Round]] = {name: [] for name in sides}
        sent = 0
        for number in range(given.rounds + 1):
            for name, side in sides.items():
                made = requests(given.requests, token, sent)
                sent += given.requests
                ports, pids = [one.port for one in side], [one.process.pid for one in side]
                one = drive(ports, made, given.connections, pids)
                if number:
                    rounds[name].append(one)
            print(f"  round {number} of {given.rounds}" if number else "  warm", file=sys.stderr, flush=True)
        stored = server.execute("SELECT count(*) FROM callbacks", url.partition("@/")[2].partition("?")[0])[0][0]
    print(
        f"{machine()}, one PostgreSQL on the same cores, {given.connections} connections in all, "
        f"{given.requests:,} requests a round, median of {given.rounds} rounds in turn"
    )
    print(table(rounds))
    print(f"{sent:,} callbacks sent, {stored:,} rows stored")


if __name__ == "__main__":
    main()
