from importlib import resources

import numpy as np
import pytest

from vcd.core.errors import SetupError
from vcd.training.fonts import load_emoji_face, load_faces, open_font


@pytest.fixture
def no_fonts(monkeypatch):
    def refuse(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(resources, "files", refuse)
    for load in (load_faces, load_emoji_face):
        load.cache_clear()


def test_there_are_several_faces_of_several_scripts():
    faces = load_faces()

    assert len(faces) > 10
    assert any(ord("A") in face.codes for face in faces)
    assert any(ord("\N{THAI CHARACTER KO KAI}") in face.codes for face in faces)


def test_every_printable_code_of_a_face_and_no_other_has_a_glyph():
    for face in (load_faces()[0], load_faces()[5], load_emoji_face()):
        font = open_font(face.file, 20)
        missing = bytes(font.getmask("\U000effff"))
        drawn = [bytes(font.getmask(chr(code))) for code in face.codes[::7].tolist()]

        assert sum(glyph == missing for glyph in drawn) <= len(drawn) // 100
        assert all(chr(code).isprintable() for code in face.codes.tolist())
        assert (np.diff(face.codes) > 0).all()


def test_what_a_face_does_not_have_is_not_in_its_codes():
    latin = next(face for face in load_faces() if face.file.name == "NotoSans[wght].ttf")

    assert {ord("A"), ord("~")} <= set(latin.codes.tolist())
    assert ord("\N{THAI CHARACTER KO KAI}") not in latin.codes
    assert ord("\n") not in latin.codes


def test_emoji_are_pictures_and_no_letters():
    codes = load_emoji_face().codes

    assert len(codes) > 1000
    assert ord("\N{GRINNING FACE}") in codes
    assert codes.min() > ord("z")


@pytest.mark.parametrize("load", [load_faces, load_emoji_face])
def test_missing_fonts_are_a_sentence_with_the_remedy(load, no_fonts):
    with pytest.raises(SetupError, match=r"not installed: pip install manimgx-fonts"):
        load()
