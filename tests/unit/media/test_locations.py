"""What a uri means, and which prefix holds it."""

import pytest

from vcd.core import InputError
from vcd.media import prefix_to_allow, shown_uri
from vcd.media.locations import is_within, parse_location


def allows(prefix: str, uri: str) -> bool:
    return is_within(parse_location(uri), [parse_location(prefix)])


@pytest.mark.parametrize(
    ("prefix", "uri"),
    [
        pytest.param("https://cdn.example.com/", "https://cdn.example.com/a/b.mp4", id="below"),
        pytest.param("https://cdn.example.com", "https://cdn.example.com/a", id="no slash needed"),
        pytest.param("https://cdn.example.com/", "HTTPS://CDN.Example.COM/a", id="case of names"),
        pytest.param("https://cdn.example.com/", "https://cdn.example.com:443/a", id="usual port"),
        pytest.param("https://cdn.example.com:443/", "https://cdn.example.com/a", id="port in it"),
        pytest.param("https://cdn.example.com/", "https://cdn.example.com./a", id="final dot"),
        pytest.param(
            "https://cdn.example.com/clips", "https://cdn.example.com/clips/1", id="in it"
        ),
        pytest.param(
            "https://cdn.example.com/a/", "https://cdn.example.com/%61/1", id="needless %"
        ),
        pytest.param("https://cdn.example.com/a", "https://cdn.example.com/x/../a/1", id="dots"),
        pytest.param(
            "https://cdn.example.com/", "https://cdn.example.com/../../b", id="above root"
        ),
        pytest.param("https://cdn.example.com/", "https://cdn.example.com/a?x=../..", id="query"),
        pytest.param("http://[2001:DB8::1]/", "http://[2001:db8:0:0::1]/a", id="IPv6 spellings"),
        pytest.param("s3://bucket/", "s3://bucket/a/b.mp4", id="store"),
        pytest.param("s3://bucket", "s3://bucket/a.mp4", id="store without slash"),
        pytest.param("file:///srv/up/", "/srv/up/a.mp4", id="plain path"),
        pytest.param("/srv/up", "file:///srv/up/a.mp4", id="plain prefix"),
        pytest.param("file:///srv/up/", "file://localhost/srv/up/%61.mp4", id="localhost"),
        pytest.param("/srv/up", "/srv/up/a::b?c#d.mp4", id="any name is a file's"),
    ],
)
def test_a_prefix_holds_what_lies_below_it_however_it_is_spelled(prefix, uri):
    assert allows(prefix, uri)


@pytest.mark.parametrize(
    ("prefix", "uri"),
    [
        pytest.param("https://cdn.example.com/", "http://cdn.example.com/a", id="scheme"),
        pytest.param(
            "https://cdn.example.com/", "https://cdn.example.com.evil/a", id="longer host"
        ),
        pytest.param("https://cdn.example.com", "https://cdn.example.comx/a", id="no boundary"),
        pytest.param("https://cdn.example.com/", "https://x.cdn.example.com/a", id="subdomain"),
        pytest.param("https://cdn.example.com/", "https://cdn.example.com:8443/a", id="port"),
        pytest.param("https://cdn.example.com/a/", "https://cdn.example.com/ab/1", id="folder"),
        pytest.param("https://cdn.example.com/a/", "https://cdn.example.com/a/../b", id="dots"),
        pytest.param("https://cdn.example.com/a/", "https://cdn.example.com/a/%2e%2E/b", id="%2e"),
        pytest.param("https://cdn.example.com/a/", "https://cdn.example.com/a/.%2e/b", id=".%2e"),
        pytest.param(
            "https://cdn.example.com/a/", "https://cdn.example.com/A/1", id="case of path"
        ),
        pytest.param("s3://bucket/", "s3://bucket2/a", id="bucket"),
        pytest.param("s3://bucket/a/", "s3://bucket/ab", id="folder of a bucket"),
        pytest.param("s3://bucket/", "gs://bucket/a", id="store"),
        pytest.param("file:///srv/up/", "/srv/up2/a.mp4", id="sibling folder"),
        pytest.param("file:///srv/up/", "/srv/up/../secret", id="local dots"),
        pytest.param("file:///srv/up/", "file:///srv/up/%2e%2e/secret", id="local %2e"),
        pytest.param("https://h.example/", "/h.example/a", id="a path is no host"),
    ],
)
def test_a_prefix_does_not_hold_what_only_looks_like_it(prefix, uri):
    assert not allows(prefix, uri)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="empty"),
        pytest.param("clips/a.mp4", id="relative path"),
        pytest.param("mailto:a@example.com", id="no slashes"),
        pytest.param("//host/a", id="no scheme"),
        pytest.param("https:/host/a", id="one slash"),
        pytest.param("https://", id="no host"),
        pytest.param("https:///a", id="no host but a path"),
        pytest.param("https://cdn.example.com@evil.example/a", id="user name"),
        pytest.param("https://user:secret@cdn.example.com/a", id="password"),
        pytest.param("https://cdn.example.com\\@evil.example/a", id="backslash in host"),
        pytest.param("https://cdn.example.com/a\\..\\b", id="backslash in path"),
        pytest.param("https://cdn.example.com/a b", id="white space"),
        pytest.param("https://cdn.example.com/a\r\nHost: evil", id="header injection"),
        pytest.param("https://cdn.example.com\t.evil/a", id="tab that urlsplit drops"),
        pytest.param("https://cdn.example.com/%", id="cut escape"),
        pytest.param("https://cdn.example.com/%zz", id="no escape"),
        pytest.param("https://cdn.example.com/a%00.mp4", id="escaped NUL"),
        pytest.param("https://cdn.example.com/a/%252e%252e/b", id="escaped twice"),
        pytest.param("https://cdn.example.com/a/..%2fb", id="escaped slash after dots"),
        pytest.param("https://cdn.example.com/a/%2e%2e%5cb", id="escaped backslash after dots"),
        pytest.param("https://cdn.example.com/a/..;x=1/b", id="dots with a parameter"),
        pytest.param("https://%63dn.example.com/a", id="escaped host"),
        pytest.param("https://b\u00fccher.example/a", id="international, not as xn--"),
        pytest.param("https://cdn\u3002example.com/a", id="a dot that is none"),
        pytest.param("https://\uff43dn.example.com/a", id="full width letter"),
        pytest.param("https://a..example/a", id="empty label"),
        pytest.param("https://-a.example/a", id="hyphen first"),
        pytest.param("https://2130706433/a", id="decimal IPv4"),
        pytest.param("https://0177.0.0.1/a", id="octal IPv4"),
        pytest.param("https://0x7f.1/a", id="short IPv4"),
        pytest.param("https://0x7f000001/a", id="hexadecimal IPv4"),
        pytest.param("https://127.1/a", id="shorter IPv4"),
        pytest.param("http://[fe80::1%25eth0]/a", id="IPv6 zone"),
        pytest.param("http://[::1/a", id="open bracket"),
        pytest.param("https://cdn.example.com:0/a", id="port 0"),
        pytest.param("https://cdn.example.com:70000/a", id="port too high"),
        pytest.param("https://cdn.example.com:80:80/a", id="two ports"),
        pytest.param("https://cdn.example.com:+80/a", id="port with a sign"),
        pytest.param("file://server/share/a.mp4", id="file of another machine"),
        pytest.param("file:a.mp4", id="relative file"),
        pytest.param("file:///a.mp4?x", id="query of a file"),
        pytest.param("file:///a%00b", id="NUL in a file uri"),
        pytest.param("/a\0b", id="NUL in a path"),
        pytest.param("local:///etc/passwd", id="fsspec's local"),
        pytest.param("simplecache::s3://bucket/a", id="chain"),
        pytest.param("s3://bucket/a::file:///etc/passwd", id="chain behind a store"),
        pytest.param("zip://a.mp4", id="wrapper"),
        pytest.param("reference://x/a", id="reference file system"),
        pytest.param("s3:///a", id="no bucket"),
        pytest.param("s3://bucket/a/../../other/b", id="dots in a key"),
        pytest.param("s3://../bucket/b", id="dots for a bucket"),
        pytest.param("https://cdn.example.com/" + "a" * 9000, id="endless"),
    ],
)
def test_what_has_two_readings_is_refused(uri):
    with pytest.raises(InputError, match="wanted") as refusal:
        parse_location(uri)

    assert refusal.value.reason == "bad_uri"


def test_what_is_asked_for_is_what_was_compared():
    location = parse_location("https://CDN.example.com:443/a/./b/../c%7e%2fd%c3%bc?sig=%2f&x=1#top")

    assert location.uri == "https://cdn.example.com/a/c~%2Fd%C3%BC?sig=%2f&x=1"


def test_a_link_that_leads_out_is_not_within(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/link").symlink_to(tmp_path / "secret")
    (tmp_path / "door").symlink_to(tmp_path / "inside")

    assert not allows(f"{tmp_path}/inside", f"{tmp_path}/inside/link")
    assert allows(f"{tmp_path}/door", f"{tmp_path}/inside/a.mp4")


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("https://CDN.example.com/a/b/c.mp4?sig=secret", "https://cdn.example.com/a/b/"),
        ("http://h.example:8080/c.mp4", "http://h.example:8080/"),
        ("s3://bucket/a/b.mp4", "s3://bucket/a/"),
        ("s3://bucket/b.mp4", "s3://bucket/"),
        ("/srv/up loads/a.mp4", "file:///srv/up%20loads/"),
        ("/a.mp4", "file:///"),
    ],
)
def test_the_prefix_to_allow_is_the_folder_and_holds_the_uri(uri, prefix):
    assert prefix_to_allow(uri) == prefix
    assert allows(prefix, uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://h.example/a.mp4?sig=secret#x", "https://h.example/a.mp4"),
        ("https://me:secret@h.example/a.mp4", "https://h.example/a.mp4"),
        ("sftp://me:secret@h.example/a.mp4", "sftp://h.example/a.mp4"),
        ("https://h.example?sig=secret", "https://h.example"),
        ("/srv/what?.mp4", "/srv/what?.mp4"),
        ("nonsense\n?secret", "nonsense?"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(uri, shown):
    assert shown_uri(uri) == shown
