"""The file of a local log: its tables, how it is opened, and whose fault it is when it fails.

    topic -< partition -< record        record.id = partition * 2**40 + offset
    grp   -< member                     who reads together, and when each was last heard of
    grp   -< lease -> member            who owns a partition now; no row: nobody does
    grp   -< done                       what is committed of a partition

A record's id holds its partition and its offset, so that one B-tree keeps the
records of a partition together and in order, and no index is needed beside it.
"""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from vcd.core import SetupError, TransientError
from vcd.stream.log import TopicSpec

__all__ = [
    "MAX_OFFSETS",
    "check_mark",
    "connect",
    "create",
    "file_mark",
    "first_id",
    "transaction",
    "trouble",
]

MAX_OFFSETS = 2**40
"""Offsets of one partition: a million records a second for twelve days."""

_BUSY_TIMEOUT_S = 5.0
"""How long one process waits for another's write; far above the slowest fsync."""

_APPLICATION_ID = 0x76636C67
"""``vclg``: the file is ours, and not some other program's database."""

_SCHEMA_VERSION = 1

_TABLES = """
create table identity (id text not null);
create table topic (
    name text primary key, is_compacted integer not null, retention_s real
) without rowid;
create table partition (
    id integer primary key, topic text not null, number integer not null,
    next_offset integer not null default 0,
    cleaned_offset integer not null default 0, num_clean integer not null default 0,
    unique (topic, number)
);
create table record (
    id integer primary key, key blob, time_s real not null, headers text, value blob
);
create table grp (name text primary key, generation integer not null) without rowid;
create table member (
    id text primary key, grp text not null, topics text not null,
    heard_s real not null, timeout_s real not null
) without rowid;
create table lease (
    grp text not null, partition integer not null, member text not null,
    primary key (grp, partition)
) without rowid;
create table done (
    grp text not null, partition integer not null, next_offset integer not null, note text not null,
    primary key (grp, partition)
) without rowid;
"""

_NEVER_HEALS = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def first_id(partition: int, offset: int = 0) -> int:
    """Name the row of a record of a partition."""
    return partition * MAX_OFFSETS + offset


def connect(path: Path) -> sqlite3.Connection:
    """Open the file of a log that exists.

    The connection may be closed by another thread than the one that uses it; it commits by itself
    outside of `transaction`.

    Raises:
        SetupError: there is no such file, or it is no log of a version that we know.
        TransientError: it cannot be read now.
    """
    file_mark(path)
    connection = _opened(path, "rw")
    try:
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path, specs: tuple[TopicSpec, ...]) -> tuple[str, ...]:
    """Make the file when it is missing, and the topics that it lacks; returns their names.

    Raises:
        SetupError: the file cannot be made, or is something else's.
    """
    try:
        if not path.exists():
            _make_file(path)
        with closing(connect(path)) as connection, transaction(connection):
            return tuple(spec.name for spec in specs if _make_topic(connection, spec))
    except (sqlite3.Error, OSError, TransientError) as error:
        raise SetupError(f"the log {path} cannot be made: {error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing of it; others wait, and see all or nothing."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def trouble(error: sqlite3.Error, path: Path) -> SetupError | TransientError:
    """Say in a sentence what is wrong with the file, and whether it may pass."""
    if getattr(error, "sqlite_errorname", "").startswith(_NEVER_HEALS):
        return SetupError(f"the log {path} cannot be used: {error}")
    return TransientError(f"the log {path} does not work now: {error}")


def file_mark(path: Path) -> tuple[int, int]:
    """Tell this very file from another that may take its name.

    Raises:
        SetupError: there is none.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise SetupError(
            f"there is no log {path} ({error.strerror}); "
            f"`vcd log create --log sqlite:{path}` makes one"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise SetupError(f"a log is a file, {path} is none")
    return status.st_dev, status.st_ino


def check_mark(path: Path, mark: tuple[int, int]) -> None:
    """Refuse to go on with a file that nobody else can find any more.

    Raises:
        SetupError: it is gone, or another has taken its name.
    """
    if file_mark(path) != mark:
        raise SetupError(f"another file has taken the place of the log {path}; start again")


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("pragma synchronous = full")  # a commit is on the disk, not on its way
    except sqlite3.Error as error:
        raise trouble(error, path) from error
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (application,) = connection.execute("pragma application_id").fetchone()
        (version,) = connection.execute("pragma user_version").fetchone()
    except sqlite3.Error as error:
        raise trouble(error, path) from error
    if application != _APPLICATION_ID:
        raise SetupError(f"{path} is no log; `vcd log create` makes one in a file of its own")
    if version > _SCHEMA_VERSION:
        raise SetupError(
            f"the log {path} is of version {version}, this program knows up to {_SCHEMA_VERSION}"
        )


def _make_file(path: Path) -> None:
    """Make a log without topics, at once: nobody ever sees half of it, one of two makers wins."""
    if not path.parent.is_dir():
        raise SetupError(f"the log {path} cannot be made: there is no folder {path.parent}")
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with closing(_opened(draft, "rwc")) as connection:
            with transaction(connection):
                for statement in _TABLES.split(";")[:-1]:
                    connection.execute(statement)
                connection.execute(f"pragma application_id = {_APPLICATION_ID}")
                connection.execute(f"pragma user_version = {_SCHEMA_VERSION}")
                connection.execute("insert into identity values (?)", (uuid4().hex,))
            connection.execute("pragma journal_mode = wal")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def _make_topic(connection: sqlite3.Connection, spec: TopicSpec) -> bool:
    if connection.execute("select 1 from topic where name = ?", (spec.name,)).fetchone():
        return False
    connection.execute(
        "insert into topic values (?, ?, ?)", (spec.name, spec.is_compacted, spec.retention_s)
    )
    connection.executemany(
        "insert into partition (topic, number) values (?, ?)",
        [(spec.name, number) for number in range(spec.num_partitions)],
    )
    return True
