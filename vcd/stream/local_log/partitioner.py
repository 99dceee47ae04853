"""Choose the partition of a key exactly as Kafka's default partitioner does."""

__all__ = ["key_partition", "murmur2"]

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF


def key_partition(key: bytes, num_partitions: int) -> int:
    """Say where records of a key go, for ever, as long as the number of partitions stays."""
    return (murmur2(key) & 0x7FFFFFFF) % num_partitions


def murmur2(data: bytes) -> int:
    """Hash bytes as Kafka does (MurmurHash2 by Austin Appleby, 32 bits, unsigned)."""
    length = len(data)
    digest = _SEED ^ length
    whole = length - length % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        digest = digest * _MULTIPLIER & _WORD ^ word
    if whole < length:
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _WORD
    digest = (digest ^ digest >> 13) * _MULTIPLIER & _WORD
    return digest ^ digest >> 15
