"""What a uri means, in one spelling, and whether a prefix of that spelling was allowed.

A uri comes from whoever sends an upload. It is brought into one normal form before it is compared,
and what is fetched is that form, so that no two readers understand it differently. What has two
readings is refused, not repaired. Nothing is opened here.
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

from vcd.core import InputError

__all__ = ["Location", "is_within", "parse_location", "prefix_to_allow", "shown_uri"]

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_ESCAPE = re.compile(r"%(.{0,2})", re.DOTALL)
_HEX = re.compile(r"[0-9a-fA-F]{2}")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_PATH_SAFE = "%/:@!$&'()*+,;=~"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URI = 8192
_MAX_SHOWN = 300
_MAX_DECODINGS = 3

_WRAPPERS = frozenset(
    {
        "arrow_hdfs",
        "asyncwrapper",
        "blockcache",
        "cached",
        "data",
        "dir",
        "file",
        "filecache",
        "generic",
        "http",
        "https",
        "jlab",
        "jupyter",
        "libarchive",
        "local",
        "reference",
        "simplecache",
        "tar",
        "zip",
    }
)
"""fsspec's names for what reads other places than the one named: a way around every check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A uri in its one spelling.

    Attributes:
        scheme: ``file``, ``http``, ``https``, or that of an fsspec driver.
        host: name or address, lower case, without brackets or final dot; of a store its bucket;
            "" for files.
        port: of http(s); None for others.
        path: absolute; of http(s) with its escapes, of files with links resolved.
        query: of http(s), with its question mark; often a secret.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str = ""

    @property
    def is_web(self) -> bool:
        return self.scheme in _DEFAULT_PORTS

    @property
    def authority(self) -> str:
        """The host as a ``Host`` header names it: its port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port is None or self.port == _DEFAULT_PORTS.get(self.scheme)
        return host if usual else f"{host}:{self.port}"

    @property
    def uri(self) -> str:
        """All of it; the query included."""
        if self.scheme == "file":
            return Path(self.path).as_uri()
        return f"{self.scheme}://{self.authority}{self.path}{self.query}"


def parse_location(uri: str) -> Location:
    """Bring a uri into its one spelling.

    Raises:
        InputError: it is none, or has two readings; its ``reason`` is ``bad_uri``.
    """
    if not uri or len(uri) > _MAX_URI:
        raise _refusal(uri, f"wanted a uri of 1 to {_MAX_URI} characters, got {len(uri)}")
    if uri.startswith("/") and not uri.startswith("//"):
        return _local(uri, uri)
    scheme = _SCHEME.match(uri)
    if scheme is None or not uri[scheme.end() :].startswith("//"):
        raise _refusal(uri, "wanted scheme://... or an absolute path")
    if _UNPRINTABLE.search(uri):
        raise _refusal(uri, "wanted no white space or control characters")
    name, rest = scheme[1].lower(), uri[scheme.end() + 2 :]
    if name == "file":
        return _local_uri(uri, rest)
    return _web(uri, name, rest) if name in _DEFAULT_PORTS else _store(uri, name, rest)


def is_within(location: Location, prefixes: Sequence[Location]) -> bool:
    """Tell whether one of the prefixes holds the location; names are compared whole.

    ``https://a.example/clips`` holds ``/clips`` and ``/clips/1.mp4``, never ``/clips2``.
    """
    return any(
        (location.scheme, location.host, location.port) == (prefix.scheme, prefix.host, prefix.port)
        and (
            location.path == prefix.path
            or location.path.startswith(prefix.path.removesuffix("/") + "/")
        )
        for prefix in prefixes
    )


def prefix_to_allow(uri: str) -> str:
    """Name the narrowest prefix worth allowing for a uri: the folder that it is in.

    Raises:
        InputError: it is no uri; its ``reason`` is ``bad_uri``.
    """
    location = parse_location(uri)
    folder = location.path.rpartition("/")[0]
    if location.scheme == "file":
        return Path(folder or "/").as_uri().removesuffix("/") + "/"
    return f"{location.scheme}://{location.authority}{folder}/"


def shown_uri(uri: str) -> str:
    """Cut out of a uri what may be a secret, for sentences, logs and reports; never fails.

    The query of a signed uri lets its reader fetch the file, and a name before an ``@`` may
    carry a password.
    """
    if not uri.startswith("/"):
        head, slashes, rest = uri.partition("//")
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
        authority, slash, path = rest.partition("/")
        uri = f"{head}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
        uri = uri if slashes else re.split(r"[?#]", head, maxsplit=1)[0]
    text = _UNPRINTABLE.sub("?", uri)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _refusal(uri: str, sentence: str) -> InputError:
    return InputError(f"{shown_uri(uri)}: {sentence}", reason="bad_uri")


def _local_uri(uri: str, rest: str) -> Location:
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost") or not slash:
        raise _refusal(uri, "wanted file:///PATH, on this machine")
    if "?" in path or "#" in path:
        raise _refusal(uri, "wanted no ? or # in a file: uri; write %3F or %23")
    _check_escapes(uri, path)
    return _local(uri, os.fsdecode(unquote_to_bytes(f"/{path}")))


def _local(uri: str, path: str) -> Location:
    if "\0" in path:
        raise _refusal(uri, "wanted a path without NUL")
    return Location(scheme="file", host="", port=None, path=os.path.realpath(path))


def _web(uri: str, scheme: str, rest: str) -> Location:
    if "\\" in rest:
        raise _refusal(uri, "wanted no backslash")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, _, _ = rest[len(authority) :].partition("#")
    path, mark, query = path.partition("?")
    host, port = _host_and_port(uri, authority, _DEFAULT_PORTS[scheme])
    escaped_query = quote(query, safe=_PATH_SAFE + "?") if mark else ""
    return Location(
        scheme=scheme,
        host=host,
        port=port,
        path=_normal_path(uri, path),
        query=f"{mark}{escaped_query}",
    )


def _host_and_port(uri: str, authority: str, usual_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise _refusal(uri, "wanted no user name or password")
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", authority)
    if found is None:
        raise _refusal(uri, "wanted HOST or HOST:PORT")
    port = int(found[2]) if found[2] else usual_port
    if not 0 < port < 65536:
        raise _refusal(uri, f"wanted a port in 1 to 65535, got {port}")
    return _normal_host(uri, found[1].lower()), port


def _normal_host(uri: str, host: str) -> str:
    """Names keep to ASCII: what a lookup would make of others differs from library to library."""
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise _refusal(uri, "wanted an IPv6 address in the brackets") from None
        if address.scope_id is not None:
            raise _refusal(uri, "wanted an IPv6 address without a zone")
        return str(address)
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refusal(uri, "wanted a host name in ASCII (an international one begins with xn--)")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _refusal(uri, "wanted an IPv4 address as four decimal numbers") from None
    return host


def _normal_path(uri: str, path: str) -> str:
    """Escape what must be, unescape what need not be, take ``.`` and ``..`` out (RFC 3986, 6.2)."""
    _check_escapes(uri, path)
    plain = quote(_ESCAPE.sub(_normal_escape, path), safe=_PATH_SAFE)
    kept: list[str] = []
    segments = plain.split("/")[1:] or [""]
    for segment in segments:
        if segment == ".." and kept:
            kept.pop()
        if segment not in (".", ".."):
            _check_segment(uri, segment)
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _check_escapes(uri: str, path: str) -> None:
    for escape in _ESCAPE.finditer(path):
        if not _HEX.fullmatch(escape[1]):
            raise _refusal(uri, "wanted two hexadecimal digits after each %")


def _normal_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else f"%{escape[1].upper()}"


def _check_segment(uri: str, segment: str) -> None:
    """Refuse what a server that decodes once more, or stops at ``;``, would read as ``..``."""
    for _ in range(_MAX_DECODINGS):
        parts = re.split(r"[/\\]", segment)
        if any(part.partition(";")[0] in (".", "..") for part in parts):
            raise _refusal(uri, "wanted no hidden . or .. in the path")
        segment = unquote(segment, errors="replace")
    if any(ord(character) < 32 for character in segment):
        raise _refusal(uri, "wanted no escaped control characters")


def _store(uri: str, scheme: str, rest: str) -> Location:
    """A bucket and a key, as they are: drivers decode nothing."""
    if scheme in _WRAPPERS or "::" in uri:
        raise _refusal(uri, f"wanted a store, {scheme}: and chains with :: lead to other places")
    bucket, _, key = rest.partition("/")
    if not bucket or "\\" in rest:
        raise _refusal(uri, f"wanted {scheme}://BUCKET/KEY")
    for segment in (bucket, *key.split("/")):
        _check_segment(uri, segment)
    return Location(scheme=scheme, host=bucket, port=None, path=f"/{key}")
