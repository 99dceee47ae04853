import numpy as np
import pytest

from vcd.stream.local_log.partitioner import key_partition, murmur2


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        pytest.param(b"21", -973932308, id="a rest of two bytes"),
        pytest.param(b"foobar", -790332482, id="a word and a rest of two"),
        pytest.param(b"a-little-bit-long-string", -985981536, id="no rest"),
        pytest.param(b"a-little-bit-longer-string", -1486304829, id="negative"),
        pytest.param(b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971, id="long"),
        pytest.param(b"abc", 479470107, id="a rest of three"),
    ],
)
def test_murmur2_gives_the_numbers_of_kafkas_own_test(data, digest):
    assert murmur2(data) == digest & 0xFFFFFFFF


@pytest.mark.filterwarnings("ignore:.* is deprecated. Use files:DeprecationWarning")
def test_every_hash_is_that_of_the_kafka_client(rng: np.random.Generator):
    from kafka.partitioner.default import murmur2 as murmur2_of_the_client

    keys = [rng.bytes(length) for length in range(67) for _ in range(5)]

    assert [murmur2(key) for key in keys] == [murmur2_of_the_client(key) for key in keys]


def test_a_negative_hash_has_a_partition_too():
    assert key_partition(b"21", 1000) == (-973932308 & 0x7FFFFFFF) % 1000
