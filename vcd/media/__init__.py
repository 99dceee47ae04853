"""Turn a file of unknown origin into sampled frames with true times, or say why not."""

from vcd.media.encode import write_video
from vcd.media.fetch import Fetched, Fetcher, digest_file
from vcd.media.locations import prefix_to_allow, shown_uri
from vcd.media.request import DecodeRequest
from vcd.media.sandbox import DecodePool
from vcd.media.settings import FetchSettings, MediaSettings

__all__ = [
    "DecodePool",
    "DecodeRequest",
    "FetchSettings",
    "Fetched",
    "Fetcher",
    "MediaSettings",
    "digest_file",
    "prefix_to_allow",
    "shown_uri",
    "write_video",
]
