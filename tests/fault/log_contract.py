"""What every log promises; run on `LocalLog` and on `KafkaLog` by a subclass each.

A subclass gives two fixtures:

- ``log``: an open log whose members are declared dead after one to six silent seconds (for Kafka:
  both ``session_timeout_s`` and ``max_poll_interval_s``);
- ``other_log``: the same log, opened a second time, as another process would.

    class TestLocalLog(LogContract): ...

Nothing is assumed but the protocol: offsets may have gaps, rebalances may take
seconds, topics and groups of other tests may be there.
"""

from tests.fault.log_contract_groups import GroupContract
from tests.fault.log_contract_reading import ReaderContract
from tests.fault.log_contract_tails import TailContract
from tests.fault.log_contract_writing import TopicContract, WriterContract


class LogContract(TopicContract, WriterContract, TailContract, ReaderContract, GroupContract):
    """All of it."""
