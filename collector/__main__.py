"""The commands of the collector, each a thin call; what goes wrong is told in one sentence, with status 2."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from collector import __version__
from collector.errors import CollectorError

# Larger ones no database can be asked for.
LARGEST_ID = 2**63 - 1


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
        except BrokenPipeError:
            # Whoever read the output has seen enough of it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    from collector.routes import now
    from collector.settings import Settings

    settings = Settings.read(env_file=env_file, require="store" if accept_unproved else "replay")
    if accept_unproved:
        settings.need("COLLECTOR_PUBLIC_URL", "COLLECTOR_PEPPER")
    size = _size(capture)

    def told(lines: int) -> None:
        share = f", {capture.tell() / size:.0%}" if size else ""
        click.echo(f"  {lines:,} lines{share}", err=True)

    with open_replay(settings, now(), accepts_unproved=accept_unproved, told=told) as run:
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

    settings = Settings.read(env_file=env_file, require="place")
    for line in status.lines(settings.database_url, now(), settings.archive):
        click.echo(line)


@main.group()
def quarantine() -> None:
    """Look at what was proved but could not be read, and bring it in after a fix."""


@quarantine.command("list")
@env_file
@click.option("--reason", help="Only rows kept for this reason.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
def quarantine_list(env_file: Path | None, reason: str | None, limit: int) -> None:
    """Say what is kept, the newest first."""
    from collector import kept

    for line in kept.listed(_place(env_file), reason=reason, limit=limit):
        click.echo(line)


@quarantine.command("show")
@click.argument("quarantine_id", metavar="ID", type=click.IntRange(1, LARGEST_ID))
@env_file
@click.option("--raw", is_flag=True, help="Give it as it came, numbers in clear and control characters too.")
def quarantine_show(quarantine_id: int, env_file: Path | None, *, raw: bool) -> None:
    """Show one request, with marks for what could be a number."""
    from collector import kept

    if raw:
        click.echo(kept.raw(_place(env_file), quarantine_id), nl=False)
        return
    for line in kept.shown(_place(env_file), quarantine_id):
        click.echo(line)


@quarantine.command("replay")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(1, LARGEST_ID))
@env_file
@click.option("--all", "everything", is_flag=True, help="Every row that was not replayed, except forged ones.")
def quarantine_replay(ids: tuple[int, ...], env_file: Path | None, *, everything: bool) -> None:
    """Read kept requests once more, and store those that can be read now."""
    from collector import kept
    from collector.routes import now
    from collector.settings import Settings

    if bool(ids) == everything:
        raise CollectorError("say which rows to replay, by their numbers or with --all; and not both")
    settings = Settings.read(env_file=env_file, require="keys")
    outcomes, refused = kept.replay(settings, ids, now(), _told)
    _table((name, f"{count:,}") for name, count in sorted(outcomes.items()))
    if refused:
        raise CollectorError("; ".join(refused))
    if not outcomes:
        click.echo("nothing is waiting in quarantine")


@main.command()
@env_file
def key(env_file: Path | None) -> None:
    """Print the recipient keys of phone numbers from standard input: one line each, the newest pepper's first."""
    from collector.keys import keys_of
    from collector.settings import Settings

    peppers = Settings.read(env_file=env_file, require="keys").peppers
    for number in _numbers():
        click.echo("\t".join(keys_of(number, peppers)))


@main.command()
@env_file
@click.option("--recipient-key", "keys", multiple=True, help="Erase by this key instead of a number.")
@click.option("--yes", is_flag=True, help="Erase; without it only say what would go.")
def erase(env_file: Path | None, keys: tuple[str, ...], *, yes: bool) -> None:
    """Remove everything about the people whose phone numbers come on standard input."""
    from collector import erasure
    from collector.settings import Settings

    settings = Settings.read(env_file=env_file, require="keys")
    found, left = erasure.erase(settings, [] if keys else _numbers(), keys, is_meant=yes, told=_told)
    _table(found.table())
    click.echo("nonces stay: they lead to nobody, and keep captured signatures from being used again")
    click.echo(left or "nothing was removed: run it again with --yes")


@main.command()
@env_file
@click.option("--older-than", metavar="AGE", help="Remove callbacks, reports and minutes older than this, as 400d.")
@click.option("--quarantine-older-than", metavar="AGE", default="30d", show_default=True, help="And quarantine.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--vacuum", is_flag=True, help="Make the files small afterwards; the server must be ended.")
def prune(
    env_file: Path | None, older_than: str | None, quarantine_older_than: str, *, dry_run: bool, vacuum: bool
) -> None:
    """Let old rows go; nonces and peppers stay."""
    from collector import pruning, turns
    from collector.routes import now
    from collector.settings import Settings

    settings = Settings.read(env_file=env_file, require="place")
    url, moment = settings.database_url, now()
    removed = pruning.prune(
        url,
        archive=settings.archive,
        before=moment - pruning.age(older_than) if older_than else None,
        quarantine_before=moment - pruning.age(quarantine_older_than),
        is_meant=not dry_run,
        told=_told,
    )
    _table((name, f"{removed[name]:,}") for name in ("callbacks", "verifications", "pulse", "quarantine"))
    if dry_run:
        click.echo("nothing was removed: run it again without --dry-run")
    elif vacuum:
        from collector.serve import sole_server

        with sole_server(url):
            turns.vacuum(url)
        click.echo("the store's files are as small as they can be")


@main.command()
@env_file
@click.option("--verify", is_flag=True, help="Only read every part back and compare it with the manifest.")
@click.option("--dry-run", is_flag=True, help="Only say what would go into the archive.")
def archive(env_file: Path | None, *, verify: bool, dry_run: bool) -> None:
    """Bring closed days into the archive as Parquet, read them back, and delete them from the store."""
    from collector import archive
    from collector.routes import now
    from collector.settings import Settings

    if verify and dry_run:
        raise click.UsageError("--verify changes nothing, and --dry-run says what would change: give one of them")
    settings = Settings.read(env_file=env_file, require="place")
    settings.need("COLLECTOR_ARCHIVE")
    if verify:
        _table(archive.verified(settings.archive or Path(), _told))
        return
    _table(archive.sealed(settings.database_url, settings.archive or Path(), now(), is_meant=not dry_run, told=_told))
    if dry_run:
        click.echo("nothing was moved: run it again without --dry-run")


@main.command()
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@env_file
@click.option("--keep", type=click.IntRange(1), help="How many copies stay in the folder DEST.")
def backup(destination: Path, env_file: Path | None, keep: int | None) -> None:
    """Copy the store, also while it is written to, into a new file or a folder."""
    from collector import backups
    from collector.routes import now

    copy, made = backups.backup(_place(env_file), destination, now(), keep=keep, told=_told)
    _table([("copy", str(copy)), *_facts(made)])
    click.echo("the peppers are not in it: keep COLLECTOR_PEPPER apart from it, without it a copy cannot be served")


@main.command()
@click.argument("copy", metavar="BACKUP", type=click.Path(path_type=Path))
@env_file
@click.option("--verify", is_flag=True, help="Only check that the copy is whole and that the peppers fit.")
def restore(copy: Path, env_file: Path | None, *, verify: bool) -> None:
    """Put a copy in the place of a store that is lost; nothing is overwritten."""
    from collector import backups
    from collector.serve import sole_server
    from collector.settings import Settings

    settings = Settings.read(env_file=env_file, require="keys")
    if verify:
        _table([("copy", str(copy)), *_facts(backups.verify(copy.absolute(), settings, _told))])
        click.echo("the copy is whole, and the peppers fit")
        return
    with sole_server(settings.database_url):
        place, found = backups.restore(copy.absolute(), settings, _told)
    _table([("store", str(place)), *_facts(found)])


@main.command()
@env_file
@click.option("--to", "target", metavar="URL", required=True, help="Where to; leave a password to PGPASSFILE.")
def move(env_file: Path | None, target: str) -> None:
    """Copy the store to another database, and check it there; run it again after an interruption."""
    from collector import moving

    moved = moving.move(_place(env_file), target, _told)
    for name, count in moved.source.items():
        grown = f", {moved.changed[name]:,} brought up to date" if moved.changed[name] else ""
        more = f", {moved.target[name] - count:,} more of its own" if moved.target[name] > count else ""
        click.echo(f"{name:<16} {count:>12,}, {moved.added[name]:,} added{grown}{more}")
    if moved.differed:
        click.echo(
            f"{moved.differed:,} minutes were in both stores with other counts, and the larger of each count stands: "
            "too few, if both took callbacks in them"
        )
    click.echo("every row is there; if a server still writes to the old store, end it and run this again for the rest")


@main.command()
@env_file
def migrate(env_file: Path | None) -> None:
    """Bring a store of an older release to this one, with a copy of it made first."""
    from collector import migrate
    from collector.routes import now
    from collector.serve import sole_server

    click.echo(migrate.migrate(_place(env_file), now(), sole_server, _told))


def _place(env_file: Path | None) -> str:
    from collector.settings import Settings

    return Settings.read(env_file=env_file, require="place").database_url


def _told(what: str) -> None:
    click.echo(f"  {what}", err=True)


def _table(rows: Iterable[tuple[str, str]]) -> None:
    for name, value in rows:
        click.echo(f"{name:<16} {value}")


def _facts(made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what a copy holds."""
    yield "made", f"{made['made_at']}, schema {made['schema']}, {made['bytes']:,} bytes"
    yield "rows", ", ".join(f"{table} {count:,}" for table, count in made["rows"].items())
    yield "digest", made["digest"]


def _numbers() -> list[str]:
    """Take phone numbers from standard input; at a terminal they are not shown while they are typed."""
    from collector.keys import LARGEST_INPUT, numbers

    if sys.stdin.isatty():
        return numbers(click.prompt("Phone number (not shown)", hide_input=True, err=True).encode())
    return numbers(sys.stdin.buffer.read(LARGEST_INPUT))


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
