"""The commands of the collector, each a thin call; what goes wrong is told in one sentence, with status 2."""

import os
from pathlib import Path
from typing import Any, BinaryIO

import click

from collector import __version__
from collector.errors import CollectorError


class Told(click.ClickException):
    """A sentence for the operator."""

    exit_code = 2


class Commands(click.Group):
    """Commands that end in one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run one command."""
        # Whatever is written here is for its owner alone.
        before = os.umask(0o077)
        try:
            return super().invoke(ctx)
        except CollectorError as error:
            raise Told(str(error)) from None
        except OSError as error:
            raise Told(f"{error.filename or 'the system'}: {error.strerror or error}") from None
        finally:
            os.umask(before)


env_file = click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read settings from this file too; the environment wins.",
)


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="collector")
def main() -> None:
    """Take Plivo Verify's signed callbacks in and keep every one of them."""


@main.command()
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("collector.env"),
    show_default=True,
    help="Where to write the settings.",
)
@click.option("--public-host", help="The host name under which Plivo reaches this collector.")
@click.option("--database-url", help="Where the store goes; beside the settings, if not said.")
def init(env_file: Path, public_host: str | None, database_url: str | None) -> None:
    """Write settings and secrets for a new collector; nothing is overwritten."""
    from collector import setup

    click.echo(setup.next_steps(setup.write(env_file, public_host, database_url)), nl=False)


@main.command()
@env_file
@click.pass_context
def serve(ctx: click.Context, env_file: Path | None) -> None:
    """Take callbacks over HTTP until asked to end."""
    from collector import logs
    from collector.serve import serve
    from collector.settings import Settings

    settings = Settings.read(env_file=env_file, require="serve")
    logs.to_standard_error()
    ctx.exit(serve(settings))


@main.command()
@click.argument("capture", type=click.File("rb"))
@env_file
@click.option("--accept-unproved", is_flag=True, help="Store also what no signature proves, marked as such.")
def replay(capture: BinaryIO, env_file: Path | None, *, accept_unproved: bool) -> None:
    """Bring captured requests in: one JSON object a line, from a file or - for standard input."""
    from collector.replay import open_replay
    from collector.settings import Settings

    settings = Settings.read(env_file=env_file, require="store" if accept_unproved else "replay")
    if accept_unproved:
        settings.need("COLLECTOR_PUBLIC_URL", "COLLECTOR_PEPPER")
    size = _size(capture)

    def told(lines: int) -> None:
        share = f", {capture.tell() / size:.0%}" if size else ""
        click.echo(f"  {lines:,} lines{share}", err=True)

    with open_replay(settings, accepts_unproved=accept_unproved, told=told) as run:
        result = run(capture)
    for name, count in result.table():
        click.echo(f"{name:<28} {count:>10,}")


@main.command()
@env_file
@click.option("--no-request", is_flag=True, help="Send nothing through the public URL.")
@click.option("--insecure", is_flag=True, help="Take whatever certificate the proxy shows.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust the certificates of this CA too.",
)
@click.pass_context
def doctor(
    ctx: click.Context, env_file: Path | None, ca_file: Path | None, *, no_request: bool, insecure: bool
) -> None:
    """Look at settings, secrets, store, disk, clock, and send a signed request through the public URL.

    One line for each: ok, warning or failed, and what to do. Status 1 if something failed.
    """
    from collector.doctor import Request, examine
    from collector.routes import now

    has_failed = False
    for finding in examine(env_file, now(), None if no_request else Request(insecure, ca_file)):
        click.echo(finding)
        has_failed |= finding.state == "failed"
    ctx.exit(1 if has_failed else 0)


@main.command()
@env_file
def status(env_file: Path | None) -> None:
    """Say what the store holds."""
    from collector import status
    from collector.routes import now
    from collector.settings import Settings

    for line in status.lines(Settings.read(env_file=env_file, require="store").database_url, now()):
        click.echo(line)


def _size(capture: BinaryIO) -> int:
    """Give the length of a file; 0 for a pipe, which has none."""
    if not capture.seekable():
        return 0
    here = capture.tell()
    size = capture.seek(0, os.SEEK_END)
    capture.seek(here)
    return size


if __name__ == "__main__":
    main()
