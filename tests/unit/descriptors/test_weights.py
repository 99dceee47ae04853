import hashlib

import pytest

from vcd.core import InputError, SetupError
from vcd.descriptors import PUBLISHED, WeightsCache, expected_sha256
from vcd.descriptors.weights import locate_weights


@pytest.fixture
def cache(tmp_path):
    return WeightsCache(tmp_path / "cache")


def pulled(cache, file_name, content=b"weights"):
    path = cache.make_folder() / file_name
    path.write_bytes(content)
    return path


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_the_seven_published_sets_are_known():
    assert sorted(PUBLISHED) == [
        "sscd_disc_advanced",
        "sscd_disc_blur",
        "sscd_disc_large",
        "sscd_disc_mixup",
        "sscd_imagenet_advanced",
        "sscd_imagenet_blur",
        "sscd_imagenet_mixup",
    ]
    assert (PUBLISHED["sscd_disc_large"].trunk, PUBLISHED["sscd_disc_large"].dim) == (
        "resnext101_32x4d",
        1024,
    )
    assert "torchvision" not in PUBLISHED["sscd_disc_large"].formats


def test_an_unknown_name_lists_the_known_ones(cache):
    with pytest.raises(SetupError, match=r"no weights named 'sscd'.*vcd_compact, sscd_disc_adv"):
        locate_weights("sscd", cache)


def test_weights_that_were_not_pulled_say_how_to_pull_them(cache):
    with pytest.raises(SetupError, match="vcd models pull sscd_disc_blur`"):
        locate_weights("sscd_disc_blur", cache)


def test_a_name_takes_the_format_that_is_there(cache):
    path = pulled(cache, "sscd_disc_blur.classy.pt")

    found = locate_weights("sscd_disc_blur", cache)

    assert (found.path, found.suffix, found.name) == (path, ".classy.pt", "sscd_disc_blur")


def test_a_name_with_a_format_takes_only_that_one(cache):
    pulled(cache, "sscd_disc_blur.classy.pt")

    with pytest.raises(SetupError, match=r"vcd models pull sscd_disc_blur\.torchvision"):
        locate_weights("sscd_disc_blur.torchvision", cache)


def test_a_pulled_file_that_changed_is_refused(cache):
    path = pulled(cache, "sscd_disc_blur.classy.pt")
    cache.record_pull(path.name, sha256(b"weights"))
    locate_weights("sscd_disc_blur", cache)
    path.write_bytes(b"changed")

    with pytest.raises(SetupError, match=f"wanted SHA-256 {sha256(b'weights')}, found"):
        locate_weights("sscd_disc_blur", cache)


def test_a_file_of_a_built_in_digest_must_have_it(cache):
    pulled(cache, "sscd_disc_mixup.torchscript.pt")

    with pytest.raises(SetupError, match="wanted SHA-256 9f26bd4c"):
        locate_weights("sscd_disc_mixup", cache)


def test_a_program_that_nobody_trusts_is_not_opened(cache, tmp_path):
    path = tmp_path / "mine.torchscript.pt"
    path.write_bytes(b"program")

    with pytest.raises(SetupError, match=r"is a program .* `vcd models trust .*mine"):
        locate_weights(str(path), cache)


def test_a_trusted_program_is_opened_until_a_byte_changes(cache, tmp_path):
    path = tmp_path / "mine.torchscript.pt"
    path.write_bytes(b"program")

    assert cache.trust(path) == sha256(b"program")
    assert locate_weights(str(path), cache).sha256 == sha256(b"program")

    path.write_bytes(b"other program")
    with pytest.raises(SetupError, match="is a program"):
        locate_weights(str(path), cache)


def test_a_path_is_named_after_its_file(cache, tmp_path):
    path = tmp_path / "our best.safetensors"
    path.write_bytes(b"x")

    assert locate_weights(str(path), cache).name == "our best"


def test_a_file_name_that_says_nothing_is_refused(cache, tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"x")

    with pytest.raises(SetupError, match=r"weights\.bin: the name of a weights file ends in"):
        locate_weights(str(path), cache)


def test_built_in_digests_go_before_recorded_ones(cache):
    mixup, blur = PUBLISHED["sscd_disc_mixup"], PUBLISHED["sscd_disc_blur"]
    cache.record_pull(mixup.file_name("torchscript"), "0" * 64)
    cache.record_pull(blur.file_name("classy"), "1" * 64)

    assert (expected_sha256(mixup, "torchscript", cache) or "").startswith("9f26bd4c")
    assert expected_sha256(blur, "classy", cache) == "1" * 64
    assert expected_sha256(blur, "torchvision", cache) is None


def test_trusting_a_missing_file_names_it(cache, tmp_path):
    with pytest.raises(InputError, match=r"gone\.pt: cannot be read: No such file"):
        cache.trust(tmp_path / "gone.pt")


def test_a_damaged_record_of_digests_is_not_taken_for_an_empty_one(cache):
    (cache.make_folder() / "weights.lock.json").write_text("{")

    with pytest.raises(SetupError, match="the record of digests is damaged"):
        cache.is_trusted("0" * 64)


def test_the_environment_says_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("VCD_CACHE", str(tmp_path / "elsewhere"))

    assert WeightsCache().folder == tmp_path / "elsewhere"
    assert WeightsCache(tmp_path / "asked").folder == tmp_path / "asked"


def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError, match="cannot make the cache folder"):
        WeightsCache(tmp_path / "file" / "cache").make_folder()
