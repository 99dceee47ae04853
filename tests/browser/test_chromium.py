"""The browser of these tests hears what a page does wrong."""

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('ouch')", "console error: ouch"),
        ("console.warn('hm')", "console warning: hm"),
        ("throw new Error('thrown')", "page error: thrown"),
        ("Promise.reject(new Error('later'))", "page error: later"),
        ("alert('look')", "dialog: look"),
        ("new Image().src = 'http://127.0.0.1:9/x.png'", "asked the network: http://127.0.0.1:9"),
        ("new Image().src = 'missing.png'", "did not load: file://"),
    ],
)
def test_what_a_page_does_wrong_is_heard(open_page, complaints, tmp_path, script, complaint):
    (tmp_path / "page.html").write_text(f"<!doctype html><title>x</title><script>{script}</script>")

    page = open_page(tmp_path / "page.html")
    page.wait_for_timeout(100)

    heard, complaints.sentences = complaints.sentences, []
    assert any(sentence.startswith(complaint) for sentence in heard), heard


def test_a_page_that_does_nothing_wrong_is_left_alone(open_page, tmp_path):
    (tmp_path / "page.html").write_text("<!doctype html><title>x</title><p>hello")

    assert open_page(tmp_path / "page.html").inner_text("p") == "hello"
