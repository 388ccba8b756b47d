"""The slides in a browser: on a projector, and in a window that is magnified to 200 %."""

import pytest
from notebook_page import until

SIZES = {"projector": (1280, 720, 1), "zoom": (640, 360, 2)}
CUT_OFF = """() => {
  const kinds = 'h1, h2, p, li, td, th, pre, img, iframe';
  const seen = [...Reveal.getCurrentSlide().querySelectorAll(kinds)]
    .filter((e) => !e.closest('aside') && e.getBoundingClientRect().width);
  return seen.filter((e) => {
    const box = e.getBoundingClientRect(), inside = box.left >= 0 && box.top >= 0;
    return !inside || box.right > innerWidth + 1 || box.bottom > innerHeight + 1;
  }).map((e) => e.outerHTML.slice(0, 200));
}"""
COVERED = """() => {
  const box = Reveal.getCurrentSlide().querySelector('iframe').getBoundingClientRect();
  return [...document.querySelectorAll('.slide-number, .controls button.enabled')].filter((e) => {
    const other = e.getBoundingClientRect();
    return Math.min(box.right, other.right) - Math.max(box.left, other.left) > 1
      && Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top) > 1;
  }).map((e) => e.className);
}"""


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_off_and_a_replay_is_free(open_page, decks, keep, size):
    """Every slide fits into the window, and no control of the deck lies over those of a replay."""
    width, height, scale = SIZES[size]
    address = (decks / "02_env.html").as_uri()
    page = open_page(address, width=width, height=height, scale=scale, reduced_motion="reduce")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    places = page.evaluate("Reveal.getSlides().map((slide) => Reveal.getIndices(slide))")
    assert len(places) > 50
    cut, replays = {}, 0
    for place in places:
        page.evaluate("place => Reveal.slide(place.h, place.v)", place)
        found = page.evaluate(CUT_OFF)
        if found:
            cut[place["h"], place["v"]] = found
        if page.evaluate("Reveal.getCurrentSlide().querySelector('iframe') !== null"):
            replays += 1
            assert page.evaluate(COVERED) == [], place
            assert until(lambda: any(frame.query_selector("#scene") for frame in page.frames))
            keep(page, f"deck_{size}_{replays}")
    assert cut == {} and replays
