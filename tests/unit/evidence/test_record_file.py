import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from referencing import Registry, Resource

from tests.evidence_records import (
    make_evidence,
    make_match_record,
    make_refused_evidence,
)
from tests.factories import make_report, make_video
from vcd.core import InputError, SetupError
from vcd.evidence import (
    decode_record,
    encode_record,
    files_of,
    folder_name,
    read_record,
    write_record,
)

_SCHEMAS = Path(__file__).parents[3] / "docs/schemas"


def _validator() -> jsonschema.Draft202012Validator:
    schemas = {
        name: json.loads((_SCHEMAS / f"{name}.schema.json").read_text())
        for name in ("evidence", "match_report")
    }
    report = Resource.from_contents(schemas["match_report"])
    registry = Registry().with_resource("match_report.schema.json", report)
    return jsonschema.Draft202012Validator(schemas["evidence"], registry=registry)


def _signed(document: dict[str, object]) -> bytes:
    """Write a document as a stranger could who wants it to be believed."""

    def canonical(value: object) -> bytes:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode() + b"\n"

    bare = {key: value for key, value in document.items() if key != "digest"}
    return canonical({**bare, "digest": hashlib.sha256(canonical(bare)).hexdigest()})


def _changed(path: str, value: object) -> bytes:
    """The evidence of one upload with another value at ``matches.0.map.num_rows``, say."""
    document = json.loads(encode_record(make_evidence()))
    *branches, leaf = [int(step) if step.isdigit() else step for step in path.split(".")]
    branch = document
    for step in branches:
        branch = branch[step]
    branch[leaf] = value
    return _signed(document)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(make_evidence(), id="one match"),
        pytest.param(
            make_evidence(
                query_strip=None,
                matches=(
                    make_match_record(
                        sheets=None, query_preview=None, ref_preview=None, missing=("it is gone",)
                    ),
                ),
            ),
            id="without pictures",
        ),
        pytest.param(make_refused_evidence(), id="refused"),
    ],
)
def test_evidence_is_read_back_as_it_was_written(record):
    data = encode_record(record)

    found = decode_record(data)

    assert encode_record(found) == data
    for part in ("report", "query", "query_strip", "refs", "terms", "software"):
        assert getattr(found, part) == getattr(record, part)
    for one, other in zip(found.matches, record.matches, strict=True):
        assert np.array_equal(one.map.similarity_QR, other.map.similarity_QR)
        assert (one.map.query, one.map.ref) == (other.map.query, other.map.ref)
        assert replace(one, map=other.map).__repr__() == repr(other)
    _validator().validate(json.loads(data))


def test_equal_evidence_is_equal_bytes_however_long_it_took():
    record = make_evidence()
    slow = replace(record, report=replace(record.report, elapsed_s={"search": 9.0}))

    assert encode_record(slow) == encode_record(record)


def test_the_published_schema_lists_every_key_that_is_written():
    schema = json.loads((_SCHEMAS / "evidence.schema.json").read_text())
    document = json.loads(encode_record(make_evidence()))
    parts = schema["$defs"]

    assert set(schema["properties"]) == set(schema["required"]) == set(document)
    assert set(schema["properties"]["terms"]["properties"]) == set(document["terms"])
    assert set(parts["match"]["properties"]) == set(document["matches"][0])
    assert set(parts["sheet"]["properties"]) == set(document["query_strip"])
    assert set(parts["clip"]["properties"]) == set(document["matches"][0]["query_preview"])
    assert set(parts["video"]["properties"]) == set(document["query"])
    ref_keys = set(parts["video"]["properties"]) | set(parts["ref"]["properties"])
    assert ref_keys == set(document["refs"][0])


def test_the_digest_is_that_of_the_file_without_its_own_line_and_is_handed_on():
    data = encode_record(make_evidence())
    digest = json.loads(data)["digest"]

    bare = data.replace(f'"digest":"{digest}",'.encode(), b"")

    assert hashlib.sha256(bare).hexdigest() == digest
    assert decode_record(data).digest == digest


def test_a_change_of_any_byte_is_noticed():
    data = encode_record(make_evidence())
    rng = np.random.default_rng(1)

    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(InputError, match="as it was written") as caught:
            decode_record(bytes(changed))
        assert caught.value.reason == "evidence_changed"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1], id="no line end"),
        pytest.param(lambda data: data + b"\n", id="a line end more"),
        pytest.param(lambda data: data[:500], id="cut off"),
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="a byte order mark"),
        pytest.param(lambda data: json.dumps(json.loads(data)).encode(), id="other blanks"),
        pytest.param(lambda data: b'{"format":0,' + data[1:], id="a key twice"),
        pytest.param(lambda data: b"[" * 200_000, id="nested without end"),
    ],
)
def test_bytes_that_say_the_same_otherwise_are_refused_too(change):
    with pytest.raises(InputError, match="as it was written") as caught:
        decode_record(change(encode_record(make_evidence())))

    assert caught.value.reason == "evidence_changed"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("query_strip.file", "../../etc/passwd.jpg"),
        ("query_strip.file", ".hidden.jpg"),
        ("query_strip.file", "page.html"),
        ("query_strip.file", "a b.jpg"),
        ("query_strip.file", "clip.webm"),
        ("query_strip.file", "a.jpg\n"),
        ("query_strip.file", 7),
        ("query_strip.sha256", "g" * 64),
        ("query_strip.times_s", []),
        ("query_strip.times_s", "12"),
        ("query_strip.times_s", [True]),
        ("query_strip.num_columns", 0),
        ("query_strip.num_columns", 100_000),
        ("query_strip.width_px", 1.5),
        ("query_strip.height_px", 65_501),
        ("query_strip", []),
        ("matches.0.query_preview.file", "strip.jpg"),
        ("matches.0.query_preview.interval", {"start_s": 2.0, "end_s": 1.0}),
        ("matches.0.map.num_rows", 2),
        ("matches.0.map.num_rows", 10**9),
        ("matches.0.map.cells", "!!!!"),
        ("matches.0.hints", [{"kind": "speed", "value": "fast"}]),
        ("matches.0.hints", {}),
        ("matches.0.sheets.ref.times_s", [1.0]),
        ("matches.0.missing", "none"),
        ("matches", []),
        ("refs", []),
        ("refs.0.duration_s", 10**400),
        ("query.width_px", -1),
        ("query.height_px", 10**7),
        ("matches.0.ref_preview.width_px", 65_501),
        ("matches.0.map.num_columns", 10**400),
        ("query.sha256", "short"),
        ("report.matches.0.score", "high"),
        ("report.matches.0.evidence", None),
        ("terms.settings", [1]),
        ("terms.rate_hz", None),
        ("software", 1),
    ],
)
def test_what_no_evidence_says_is_refused_though_its_digest_is_right(path, value):
    with pytest.raises(InputError, match="theirs: not valid evidence") as caught:
        decode_record(_changed(path, value), origin="theirs")

    assert caught.value.reason == "not_evidence"


def test_a_missing_key_is_named():
    document = json.loads(encode_record(make_evidence()))
    del document["terms"]["factory"]

    with pytest.raises(InputError, match="it lacks 'factory'"):
        decode_record(_signed(document))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"[]\n", "not_evidence", id="a list"),
        pytest.param(b'{"reports":[]}\n', "not_evidence", id="another file"),
        pytest.param(_changed("format", "vcd decisions"), "not_evidence", id="another format"),
        pytest.param(_changed("version", 2), "unknown_version", id="a later version"),
    ],
)
def test_another_file_is_told_from_changed_evidence(data, reason):
    with pytest.raises(InputError, match="wanted evidence") as caught:
        decode_record(data)

    assert caught.value.reason == reason


def test_keys_of_a_later_program_are_ignored():
    data = _changed("query.colour_space", "bt709")

    assert decode_record(data).query == make_evidence().query


def test_an_infinite_setting_is_written_as_text():
    record = make_evidence()
    terms = replace(record.terms, settings={"align.min_score": float("-inf"), "a.b": (1, None)})

    found = decode_record(encode_record(replace(record, terms=terms)))

    assert found.terms.settings == {"align.min_score": "-inf", "a.b": [1, None]}


def test_a_name_that_utf_8_cannot_say_is_written_all_the_same():
    name = "fa\udce7ade \u202e<b>"
    record = make_refused_evidence()

    data = encode_record(replace(record, report=replace(record.report, query_id=name)))

    assert decode_record(data).report.query_id == name


def test_every_file_of_a_record_is_named_with_its_digest():
    assert files_of(make_evidence()) == {
        "query_strip.jpg": "b" * 64,
        "ref_0_strip.jpg": "b" * 64,
        "match_0_query.jpg": "b" * 64,
        "match_0_ref.jpg": "b" * 64,
        "match_0_query.webm": "c" * 64,
        "match_0_ref.webm": "c" * 64,
    }


@pytest.mark.parametrize(
    ("query_id", "slug"),
    [
        ("rabbit", "rabbit"),
        ("clips/a b.mp4", "clips_a_b_mp4"),
        ("../../etc/passwd", "etc_passwd"),
        ("/", "upload"),
        (".", "upload"),
        ("\u202e<img src=x>\n", "img_src_x"),
        ("x" * 300, "x" * 60),
        ("\udcff\0", "upload"),
    ],
)
def test_a_folder_is_named_with_the_harmless_characters_of_an_id(query_id, slug):
    name = folder_name(query_id)

    assert re.fullmatch(rf"{slug}-[0-9a-f]{{10}}", name)


def test_ids_that_differ_in_harmful_characters_only_have_folders_of_their_own():
    assert len({folder_name(name) for name in ("a/b", "a b", "a.b", "a_b", "A/b")}) == 5


def test_a_folder_gives_back_the_record_that_was_put_there(tmp_path):
    write_record(tmp_path, make_refused_evidence())
    write_record(tmp_path, make_evidence())

    found = read_record(tmp_path)

    assert found.report == make_evidence().report
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.json"]


def test_a_record_that_cannot_be_written_leaves_the_earlier_one(tmp_path):
    write_record(tmp_path, make_evidence())
    (tmp_path / ".evidence.json.part").mkdir()

    with pytest.raises(SetupError, match=r"evidence\.json: cannot be written"):
        write_record(tmp_path, make_refused_evidence())

    assert read_record(tmp_path).report.matches


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"wanted a folder with evidence\.json in it"):
        read_record(tmp_path)


def test_a_damaged_record_is_named_by_its_place(tmp_path):
    write_record(tmp_path, make_evidence())
    path = tmp_path / "evidence.json"
    path.write_bytes(path.read_bytes().replace(b"0.91", b"0.92"))

    with pytest.raises(InputError, match=re.escape(str(path))):
        read_record(tmp_path)


def test_the_report_may_speak_of_an_upload_of_any_name():
    report = make_report(query_id='"><script>', matches=(), elapsed_s={})
    record = make_evidence(report=report, query=make_video("x"), refs=(), matches=())

    assert decode_record(encode_record(record)).report.query_id == '"><script>'
