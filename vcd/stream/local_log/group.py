"""Share the partitions of topics among the members of a group, in the file of a local log.

A member is a row that says when it was last heard of; a lease is a row that says
which member owns a partition. Who was not heard of for its session timeout is
declared dead by any other member and its leases fall free. A dead member never comes
back under its name, so a commit is fenced by the name alone: it changes nothing
unless the lease is still there.

The clock is the monotonic one of the host, which every process on it shares: setting
the date moves no partition. After a restart of the host it starts anew, which makes a
row of before look dead, or alive for one session timeout at most.
"""

import json
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vcd.stream.local_log.schema import transaction
from vcd.stream.log import Commit, Partition

__all__ = ["Membership", "Settlement", "committed", "shares"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a look at the group changes for a member.

    Attributes:
        gained: partitions that are ours from now on, with what is committed of them.
        surplus: partitions of ours that others wait for.
    """

    gained: Mapping[int, Commit | None]
    surplus: frozenset[int]


def shares(
    subscriptions: Mapping[str, frozenset[str]],
    num_partitions: Mapping[str, int],
    held: Mapping[str, Mapping[str, int]],
) -> dict[tuple[str, str], int]:
    """Say how many partitions of each topic each member should own.

    Equal shares of every topic, so that no member is left without fresh uploads; what cannot be
    divided goes to who has least so far, then to who holds it already, so that nothing moves
    without need.

    Args:
        subscriptions: member -> its topics.
        num_partitions: topic -> how many it has.
        held: member -> topic -> how many of it the member owns now.

    Returns:
        (member, topic) -> number of partitions.
    """
    result: dict[tuple[str, str], int] = {}
    totals: Counter[str] = Counter()
    for topic in sorted(num_partitions):
        members = [member for member, topics in subscriptions.items() if topic in topics]
        members.sort(key=lambda m: (totals[m], -held.get(m, {}).get(topic, 0), m))
        for ordinal, member in enumerate(members):
            each, rest = divmod(num_partitions[topic], len(members))
            result[member, topic] = each + (ordinal < rest)
            totals[member] += each + (ordinal < rest)
    return result


def committed(connection: sqlite3.Connection, group: str, partition: int) -> Commit | None:
    """Read what a group committed of a partition."""
    row = connection.execute(
        "select next_offset, note from done where grp = ? and partition = ?", (group, partition)
    ).fetchone()
    return Commit(offset=row[0], note=row[1]) if row else None


class Membership:
    """One member of a group: heard of, given partitions, giving them back."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        group: str,
        partitions: Mapping[int, Partition],
        timeout_s: float,
    ) -> None:
        """Be no member yet; the first `settle` joins.

        Args:
            connection: to the log; used by the reader's thread only.
            group: to be joined.
            partitions: all those of the topics that are read, by their row.
            timeout_s: after so long a silence the others take over.
        """
        self._connection = connection
        self._group = group
        self._partitions = partitions
        self._topics = frozenset(partition.topic for partition in partitions.values())
        self._timeout_s = timeout_s
        self._member: str | None = None
        self._heard_s = float("-inf")
        self._generation: int | None = None

    def is_due(self) -> bool:
        """Say whether to `settle`: time to be heard of, or something changed in the group."""
        if time.monotonic() - self._heard_s >= self._timeout_s / 4:
            return True
        row = self._connection.execute(
            "select generation from grp where name = ?", (self._group,)
        ).fetchone()
        return row is None or row[0] != self._generation

    def settle(self) -> Settlement | None:
        """Be heard of, bury the dead, take what is free; None when we were declared dead."""
        with transaction(self._connection):
            now_s = time.monotonic()
            member = self._member or self._join(now_s)
            if not self._is_alive(member):
                self._member = None
                return None
            self._connection.execute("update member set heard_s = ? where id = ?", (now_s, member))
            # Whoever was kept from writing knows that the others may have been so as well.
            if now_s - self._heard_s < self._timeout_s / 2:
                self._bury_the_dead(now_s)
            settlement = self._share(member)
            (generation,) = self._connection.execute(
                "select generation from grp where name = ?", (self._group,)
            ).fetchone()
        self._member, self._heard_s, self._generation = member, now_s, generation
        return settlement

    def commit(self, commits: Mapping[int, Commit]) -> None:
        """Keep the commits of the partitions that are still ours."""
        with transaction(self._connection):
            self._commit(commits)

    def free(self, commits: Mapping[int, Commit | None]) -> None:
        """Keep the commits and give the partitions back, in one step."""
        with transaction(self._connection):
            self._commit({p: commit for p, commit in commits.items() if commit is not None})
            self._connection.executemany(
                "delete from lease where grp = ? and partition = ? and member = ?",
                [(self._group, partition, self._member) for partition in commits],
            )
            self._tell_the_others()

    def leave(self, commits: Mapping[int, Commit]) -> None:
        """Keep the commits and be no member any more; the others take over at once."""
        if self._member is None:
            return
        with transaction(self._connection):
            self._commit(commits)
            self._remove([self._member])
        self._member = None

    def _join(self, now_s: float) -> str:
        member = uuid.uuid4().hex
        topics = json.dumps(sorted(self._topics))
        self._connection.execute("insert or ignore into grp values (?, 0)", (self._group,))
        self._connection.execute(
            "insert into member values (?, ?, ?, ?, ?)",
            (member, self._group, topics, now_s, self._timeout_s),
        )
        self._tell_the_others()
        return member

    def _is_alive(self, member: str) -> bool:
        found = self._connection.execute("select 1 from member where id = ?", (member,))
        return found.fetchone() is not None

    def _bury_the_dead(self, now_s: float) -> None:
        dead = self._connection.execute(
            "select id from member where grp = ? and not (? - heard_s between 0 and timeout_s)",
            (self._group, now_s),
        ).fetchall()
        if dead:
            self._remove([member for (member,) in dead])

    def _remove(self, members: Iterable[str]) -> None:
        for member in members:
            self._connection.execute("delete from member where id = ?", (member,))
            self._connection.execute(
                "delete from lease where grp = ? and member = ?", (self._group, member)
            )
        self._tell_the_others()

    def _tell_the_others(self) -> None:
        self._connection.execute(
            "update grp set generation = generation + 1 where name = ?", (self._group,)
        )

    def _share(self, member: str) -> Settlement:
        """Take what is free of our share until taking does not change the share any more."""
        gained: dict[int, Commit | None] = {}
        taken, surplus = self._compare(member)
        while taken:
            self._connection.executemany(
                "insert into lease values (?, ?, ?)", [(self._group, row, member) for row in taken]
            )
            gained |= {row: committed(self._connection, self._group, row) for row in taken}
            taken, surplus = self._compare(member)
        if gained:
            self._tell_the_others()  # what we own decides about the rest that cannot be divided
        return Settlement(gained=gained, surplus=surplus)

    def _compare(self, member: str) -> tuple[list[int], frozenset[int]]:
        """Compare what is ours with what should be; returns what to take and what to give back."""
        rows = self._connection.execute(
            "select partition, member from lease where grp = ?", (self._group,)
        )
        owners = dict(rows.fetchall())
        wanted = self._shares()
        taken: list[int] = []
        surplus: list[int] = []
        for topic in sorted(self._topics):
            of_topic = [row for row, p in self._partitions.items() if p.topic == topic]
            ours = [row for row in of_topic if owners.get(row) == member]
            free = [row for row in of_topic if row not in owners]
            share = wanted[member, topic]
            surplus += ours[share:]
            taken += free[: max(0, share - len(ours))]
        return taken, frozenset(surplus)

    def _shares(self) -> dict[tuple[str, str], int]:
        """Compute everybody's shares; of all topics, so that every member computes the same."""
        rows = self._connection.execute(
            "select id, topics from member where grp = ?", (self._group,)
        )
        subscriptions = {member: frozenset(json.loads(topics)) for member, topics in rows}
        sizes: Counter[str] = Counter()
        held: dict[str, Counter[str]] = {member: Counter() for member in subscriptions}
        owned = self._connection.execute(
            "select topic, lease.member from partition"
            " left join lease on lease.partition = partition.id and lease.grp = ?",
            (self._group,),
        )
        for topic, owner in owned:
            sizes[topic] += 1
            if owner in held:
                held[owner][topic] += 1
        return shares(subscriptions, sizes, held)

    def _commit(self, commits: Mapping[int, Commit]) -> None:
        self._connection.executemany(
            "insert into done select ?, ?, ?, ? where exists"
            " (select 1 from lease where grp = ?1 and partition = ?2 and member = ?5)"
            " on conflict (grp, partition) do update"
            " set next_offset = excluded.next_offset, note = excluded.note",
            [
                (self._group, row, commit.offset, commit.note, self._member)
                for row, commit in commits.items()
            ],
        )
