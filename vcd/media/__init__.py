"""Turn a file of unknown origin into sampled frames with true times, or say why not."""

from vcd.media.encode import write_video
from vcd.media.fetch import digest_file
from vcd.media.request import DecodeRequest
from vcd.media.sandbox import DecodePool
from vcd.media.settings import MediaSettings

__all__ = ["DecodePool", "DecodeRequest", "MediaSettings", "digest_file", "write_video"]
