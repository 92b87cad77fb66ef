"""What the tests in a browser look for is found, on pages with faults."""

import pytest
from browser import barriers, faults, opened, write_page

JUMP = """addEventListener('load', () => {
  const frames = count => count ? requestAnimationFrame(() => frames(count - 1))
    : document.body.prepend(Object.assign(document.createElement('div'), {style: 'height: 400px'}));
  frames(3);
  const end = performance.now() + 300;
});"""
PICTURE = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"


def found_on(browser, path, theme="light"):
    with opened(browser, path, theme) as (page, complaints):
        return faults(page, theme) + complaints


def test_a_good_page_has_no_faults(browser, tmp_path):
    body = f'<p>Text <span class="math">x</span><mjx-container>x</mjx-container></p><img width="9" src="{PICTURE}">'
    assert found_on(browser, write_page(tmp_path, body)) == []


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        ("console", "<script>console.error('wrong')</script>"),
        ("script", "<script>undefined_function()</script>"),
        ("request", '<script src="https://example.org/a.js"></script>'),
        ("not loaded", '<script src="absent.js"></script>'),
        ("formulas", '<span class="math">x</span>'),
        ("formula", '<mjx-container><mjx-merror data-mjx-error="Undefined control sequence"></mjx-merror>'),
        ("unknown macro", '<mjx-container><mjx-mtext style="color: red">oops</mjx-mtext></mjx-container>'),
        ("cut", '<div class="math" style="width: 99px; overflow: auto"><div style="width: 500px">x</div></div>'),
        ("divided", '<table><td><p><mjx-container class="broken">x</mjx-container></p></td></table>'),
        ("blank image", '<img src="absent.svg">'),
        ("no room", f'<img src="{PICTURE}">'),
        ("faint", '<p style="color: #ccc">Text</p>'),
        ("faint", '<div style="background: #222"><p style="color: #333">Text</p></div>'),
        ("faint", '<h1 style="font-size: 30px; color: #aaa">Title</h1>'),
        ("faint", '<p>Text <b style="color: #999">bold</b></p>'),
        ("wide", '<div style="width: 3000px">Text</div>'),
        ("jumps", f"<script>{JUMP}</script><div style='height: 600px; width: 900px'>Text</div>"),
    ],
)
def test_a_fault_is_seen(browser, tmp_path, fault, body):
    found = found_on(browser, write_page(tmp_path, body))
    assert any(text.startswith(f"{fault}:") for text in found), found


def test_a_page_that_ignores_the_theme_is_seen(browser, tmp_path):
    assert found_on(browser, write_page(tmp_path, "<p>Text</p>"), "dark") == ["theme: light instead of dark"]


def test_barriers_are_found(browser, tmp_path):
    path = write_page(tmp_path, "<p style='color: #bbb; background: #fff'>faint</p><img src='none.png'><h1>title</h1>")
    with opened(browser, path, "light") as (page, _):
        found, others = ({line.partition(":")[0] for line in barriers(page, contrast)} for contrast in (True, False))
    assert {"color-contrast", "image-alt"} <= found and others == found - {"color-contrast"}
