"""The command ``verify-analytics``: each of its words is a thin call; what goes wrong is one sentence and status 2.

The one place of the toolkit that reads the wall clock and the environment. Everything heavy is imported by the command
that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click

from verify_analytics import __version__
from verify_analytics.errors import DoubtfulWarning, LeftOutNotice, VerifyAnalyticsError

INTERRUPTED = 130
SAID = (DoubtfulWarning, LeftOutNotice)
NEEDED = ("duckdb", "matplotlib", "narwhals", "numpy", "pandas", "pyarrow")


class Told(click.ClickException):
    """A sentence for the person at the keyboard."""

    exit_code = 2


class Commands(click.Group):
    """Commands that end in one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run one command."""
        if missing := [name for name in NEEDED if find_spec(name) is None]:
            # The collector's own small environment holds this command and none of what it needs.
            raise Told(f"{', '.join(missing)} not installed here; the toolkit needs: pip install verify-analytics")
        warnings.showwarning = _warn
        for said in SAID:
            warnings.simplefilter("always", said)
        try:
            return super().invoke(ctx)
        except VerifyAnalyticsError as error:
            message = str(error)
        except RuntimeError as error:
            # DuckDB's own way of saying that Ctrl-C came while it was at work.
            if "interrupted" not in str(error).lower():
                raise
            _interrupted()
        except KeyboardInterrupt:
            _interrupted()
        except OSError as error:
            message = f"{error.filename or 'the system'}: {error.strerror or error}"
        except Exception as error:
            if "duckdb" not in type(error).__module__:
                raise
            message = (
                f"the data could not be read to the end: {str(error).splitlines()[0]}. Is a file damaged, or closed to "
                "you? Of an archive `collector archive --verify` says which; a copy brings it back"
            )
        # Outside the handlers nothing holds the frames of the failed call any more, nor the relations in them.
        raise Told(message)


def _interrupted() -> NoReturn:
    """End after Ctrl-C or its like; whatever was temporary is gone by now."""
    click.echo("\nInterrupted: nothing half-written is left.", err=True)
    raise click.exceptions.Exit(INTERRUPTED)


def _warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Say a doubt or what was left out in one line; others are for developers, and tests turn them into errors."""
    if issubclass(category, SAID):
        click.echo(f"note: {message}", err=True)


class Moment(click.ParamType[datetime]):
    """A moment with its time zone, such as 2026-10-29T00:00Z."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ARG002
        """Read a moment in UTC."""
        from verify_analytics.model.moments import moment

        if isinstance(value, datetime):
            return value
        option = param.opts[0] if param is not None and param.opts else "a moment"
        try:
            return moment(value, name=option)
        except VerifyAnalyticsError as error:
            raise Told(str(error)) from None


def reading() -> Callable[[str, int, int | None], None]:
    """Tell on standard error how far the reading of a store is, every two seconds."""
    from verify_analytics.load.watching import Pace

    pace = Pace(2.0)

    def told(table: str, rows: int, of: int | None) -> None:
        if pace.is_due():
            click.echo(f"  {table}: {rows:,} rows so far" + (f" of about {of:,}" if of else ""), err=True)

    return told


def counter(what: str) -> Any:
    """Show how far a long piece of work is, on one line of standard error; on no terminal, once at the end."""

    def told(done: int, of: int) -> None:
        last = done >= of
        if sys.stderr.isatty():
            click.echo(f"\r  {what}: {done:,} of {of:,}", err=True, nl=last)
        elif last:
            click.echo(f"  {what}: {done:,}", err=True)

    return told


env_file = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A collector's settings: its public URL, tokens and secret sign what is sent.",
)


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="verify-analytics")
def main() -> None:
    """Say whether one-time codes arrive, how fast, and on which channel."""


@main.command()
@click.option("--sessions", type=click.IntRange(min=1), required=True, help="How many verifications people start.")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="The same seed gives the same bytes.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The capture to write.")
@click.option("--archive", type=click.Path(file_okay=False, path_type=Path), help="The archive to write, a new folder.")
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="For the archive.")
@click.option("--truth", type=click.Path(dir_okay=False, path_type=Path), help="The truth to write, as Parquet.")
@click.option("--days", type=click.IntRange(1, 3_660), default=28, show_default=True)
@click.option("--end", type=Moment(), default="2026-10-29T00:00Z", show_default=True, help="When the history ends.")
@click.option("--as-of", type=Moment(), help="The moment of which the truth tells; by default the end.")
@env_file
def simulate(
    *,
    sessions: int,
    seed: int,
    out: Path | None,
    archive: Path | None,
    processes: int,
    truth: Path | None,
    days: int,
    end: datetime,
    as_of: datetime | None,
    env_file: Path | None,
) -> None:
    """Write a simulated provider's history, and the truth about it.

    As a capture: what was received, signed, to be replayed or sent. Or as an archive: what a collector would have
    stored of it, as Parquet, for histories of any length.
    """
    from verify_analytics.simulate import history, keyring

    if out is None and archive is None:
        raise Told("nothing to write: name a capture with --out, an archive with --archive, or both")
    keys = None if out is None else keyring.read(os.environ, env_file)
    made = history(sessions, seed=seed, end=end, days=days, as_of=as_of)
    if archive is not None:
        kept = made.write_archive(archive, processes=processes, progress=counter("sessions"))
        click.echo(
            f"{archive}: {kept.callbacks:,} callbacks and {kept.verifications:,} reports in {kept.parts:,} files"
        )
    if out is not None and keys is not None:
        written = made.write_capture(out, **keys._asdict(), progress=counter("sessions"))
        told = f"{written.callbacks:,} callbacks and {written.reports:,} reports of {made.sessions:,} sessions"
        click.echo(f"{out}: {told}")
    if truth is not None:
        click.echo(f"{truth}: the truth about {made.write_truth(truth):,} attempts")
    if keys is not None and keys.tokens == (keyring.SIMULATED_TOKEN,):
        click.echo(
            f"Signed with the simulator's own token. To bring it in: PLIVO_AUTH_TOKEN={keyring.SIMULATED_TOKEN} "
            f"COLLECTOR_PUBLIC_URL={keys.url} COLLECTOR_VERIFICATION_SECRET={keyring.SIMULATED_SECRET}"
        )


@main.command()
@click.argument("capture", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", required=True, help="The collector, such as http://127.0.0.1:8080.")
@click.option("--sign-again", is_flag=True, help="Sign anew, with the settings of the environment or the env file.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="1 keeps the pace; by default, at once.")
@click.option("--connections", type=click.IntRange(1, 64), default=4, show_default=True)
@env_file
def send(
    *, capture: Path, to: str, speed: float | None, connections: int, env_file: Path | None, sign_again: bool
) -> None:
    """Send a capture to a collector over HTTP, as the provider would, with its retries."""
    from verify_analytics.simulate import keyring
    from verify_analytics.simulate import send as send_capture

    keys = keyring.read(os.environ, env_file)
    signing = {
        "tokens": keys.tokens,
        "main_token": keys.main_token,
        "verification_secret": keys.verification_secret,
        "public_url": keys.url,
    }
    result = send_capture(
        capture,
        to=to,
        speed=math.inf if speed is None else speed,
        connections=connections,
        progress=counter("requests"),
        **(signing if sign_again else {}),  # type: ignore[arg-type]
    )
    for (kind, status), count in sorted(result.answers.items()):
        click.echo(f"{kind:<10} {f'answered {status}' if status else 'no answer':<14} {count:>10,}")
    if result.given_up:
        raise Told(f"{result.given_up:,} of {result.sent:,} requests were never answered 200")


@main.command()
@click.argument("store", nargs=-1, required=True)
@click.option("--as-of", type=Moment(), required=True, help="The moment to look from, such as 2026-10-29T00:00Z.")
@click.option("--since", type=Moment(), help="Leave out sessions started before this moment.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write.")
@click.option("--patience", default="15min", show_default=True, help="How long an attempt may wait for its receipt.")
@click.option("--window", default="10min", show_default=True, help="How long after its last attempt a session may end.")
@click.option("--min-cell", type=click.IntRange(0, 1_000), default=0, help="Hide figures of fewer cases than this.")
@click.option("--number-blocks", is_flag=True, help="Also show delivery by block of numbers.")
def report(
    *,
    store: tuple[str, ...],
    as_of: datetime,
    since: datetime | None,
    out: Path,
    patience: str,
    window: str,
    min_cell: int,
    number_blocks: bool,
) -> None:
    """Write the report of a store, or of an archive and the store that feeds it: a page, its charts and its tables."""
    from verify_analytics.load import watched
    from verify_analytics.report import build

    click.get_current_context().with_resource(watched(reading()))

    page = build(
        store,
        as_of=as_of,
        since=since,
        out=out,
        patience=patience,
        window=window,
        min_cell=min_cell,
        number_blocks=number_blocks,
        progress=lambda words: click.echo(f"  {words}", err=True),
    )
    click.echo(f"Open {page}")


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("data/demo"), show_default=True)
@click.option("--sessions", type=click.IntRange(min=100), default=13_000, show_default=True)
def demo(out: Path, sessions: int) -> None:
    """Show the whole road on this machine: collector, signed traffic, report."""
    from verify_analytics.demo import Show, run

    # Being ended in good order means stopping the collector and removing its store, like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    run(now=datetime.now(UTC), environ=os.environ, out=out, sessions=sessions, show=Show(click.echo, counter))


if __name__ == "__main__":
    main()
