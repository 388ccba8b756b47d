"""The 3D replay as a page of its own: no kernel, no network, any screen."""

import numpy as np
import pytest
from notebook_page import until

import quadlib

SIZES = {  # width and height in CSS pixels, device pixels per CSS pixel
    "desk": (1280, 800, 1),
    "zoom": (640, 400, 2),  # the same at 200 %
    "phone": (390, 700, 2),
    "cell": (260, 480, 2),  # of a notebook on that phone, in JupyterLab
}


def trot():
    step = 0

    def act(observation):
        nonlocal step
        step += 1
        angle, side = 2 * np.pi * 2.5 * 0.01 * step, np.array([1, -1, -1, 1])
        return np.concatenate([0.5 * np.cos(angle) * side, 0.1 - 0.3 * np.sin(angle) * side])

    return act


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """The address of a page with one robot, and of one with three; the last of them falls."""
    folder = tmp_path_factory.mktemp("replay")
    walks = quadlib.record(trot(), seconds=3, label="trot")
    falls = quadlib.record(lambda observation: [0, 0, 0, 0, 1, 1, 1, 1], label="too low")
    one = quadlib.replay(walks).save(folder / "one.html")
    three = quadlib.replay({"first": walks, "second": walks, "too low": falls})
    return {1: one.as_uri(), 3: three.save(folder / "three.html").as_uri()}


@pytest.fixture
def open_offline(open_page):
    """Opens a page; whatever it asks a network for fails the test."""
    asked = []

    def open_it(url, width=480, height=480, **options):  # small: the processor draws it
        page = open_page("about:blank", width, height, **options)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        page.wait_for_function("document.querySelector('#clock').textContent")
        return page

    yield open_it
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def seconds(page) -> float:
    return float(page.locator("#clock").inner_text().split(" / ")[0])


def pixels(page) -> bytes:
    """The scene as it is seen."""
    return page.locator("#scene").screenshot()


@pytest.mark.parametrize(
    "size, dark", [("desk", False), ("zoom", True), ("phone", True), ("cell", False)]
)
def test_everything_fits(open_offline, page_of, keep, size, dark):
    """Nothing is cut off or wider than the screen, on a phone and at 200 % too; each button is
    large enough for a finger, and the scene keeps at least a third of the page."""
    width, height, scale = SIZES[size]
    page = open_offline(
        page_of[3], width=width, height=height, scale=scale,
        color_scheme="dark" if dark else "light", reduced_motion="reduce",
    )  # fmt: skip
    assert page.evaluate("document.documentElement.classList.contains('dark')") == dark
    page.locator("#seek").fill("0.5")
    assert until(lambda: seconds(page) == 0.5)
    keep(page, f"replay_{size}_{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("play", "rate", "who", "follow", "trail", "view", "theme", "keys", "hud"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, name
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, name
        assert name in ("follow", "trail", "hud") or box["height"] >= 24, name
    stage = page.locator("#stage").bounding_box()
    assert stage["height"] >= height / 3
    page.locator("#keys").click()
    assert page.locator("#help").bounding_box()["width"] <= width
    keep(page, f"replay_{size}_{'dark' if dark else 'light'}_help")


def test_it_plays_by_itself_and_stops_at_a_key(open_offline, page_of):
    page = open_offline(page_of[1])
    first = seconds(page)
    assert until(lambda: seconds(page) != first)
    page.keyboard.press("Space")
    assert "Play" in page.locator("#play").inner_text()
    stopped = seconds(page)
    page.wait_for_timeout(300)
    assert seconds(page) == stopped


def test_who_wants_no_motion_gets_none(open_offline, page_of):
    page = open_offline(page_of[1], reduced_motion="reduce")
    page.wait_for_timeout(300)
    assert seconds(page) == 0 and "Play" in page.locator("#play").inner_text()


def test_every_key_does_what_the_help_says(open_offline, page_of):
    page = open_offline(page_of[3], reduced_motion="reduce")
    press = page.keyboard.press
    press("ArrowRight")
    assert until(lambda: seconds(page) == 0.02)
    press("Shift+ArrowRight")
    assert until(lambda: seconds(page) == 0.52)
    press("ArrowLeft")
    assert until(lambda: seconds(page) == 0.5)
    press("End")
    assert until(lambda: seconds(page) == 3.0)
    press("Home")
    assert until(lambda: seconds(page) == 0)
    press("ArrowDown")
    assert page.locator("#rate").input_value() == "0.5"
    press("ArrowUp")
    assert page.locator("#rate").input_value() == "1"
    for key, box in (("f", "#follow"), ("t", "#trail")):
        before = page.locator(box).is_checked()
        press(key)
        assert page.locator(box).is_checked() != before
    press("2")
    assert page.locator("#who").input_value() == "2"
    press("0")
    assert page.locator("#who").input_value() == "0"
    press("b")
    assert page.evaluate("document.documentElement.classList.contains('dark')")
    press("?")
    assert page.locator("#help").is_visible()
    press("?")
    for key in "vadws+-":  # views, turning, tilting, zooming
        before = pixels(page)
        press(key)
        assert until(lambda before=before: pixels(page) != before), key


def test_a_mouse_turns_zooms_and_scrubs(open_offline, page_of):
    page = open_offline(page_of[1], reduced_motion="reduce")
    scene = page.locator("#scene").bounding_box()
    x, y = scene["x"] + scene["width"] / 2, scene["y"] + scene["height"] / 2
    before = pixels(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y + 20, steps=4)
    page.mouse.up()
    assert until(lambda: pixels(page) != before)
    before = pixels(page)
    page.mouse.wheel(0, -300)
    assert until(lambda: pixels(page) != before)
    gait = page.locator("#gait").bounding_box()
    page.mouse.click(gait["x"] + 24 + (gait["width"] - 24) / 2, gait["y"] + 10)
    assert until(lambda: abs(seconds(page) - 1.5) < 0.05)


def test_the_numbers_are_those_of_the_recording(open_offline, page_of):
    """At the end: distance and return of each robot, and that the last one fell."""
    page = open_offline(page_of[3], reduced_motion="reduce")
    page.keyboard.press("End")
    assert until(lambda: seconds(page) == 3.0)
    walks = quadlib.record(trot(), seconds=3)
    rows = page.locator("#numbers tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["● first", "▲ second", "■ too low"]
    assert f"{walks.distance:.2f} m" in rows[0] and f"return {walks.reward.sum():.2f}" in rows[0]
    assert "fell at" in rows[2]


def test_camera_follows_trail_grows_and_feet_leave_marks(open_offline, page_of, keep):
    """Where the robot is drawn, seen from the page's own objects."""
    page = open_offline(page_of[1], reduced_motion="reduce")
    page.keyboard.press("End")
    assert until(lambda: seconds(page) == 3.0)
    with_all = pixels(page)
    keep(page, "replay_end")
    page.keyboard.press("t")
    assert until(lambda: pixels(page) != with_all)  # the trail is gone
    page.keyboard.press("t")
    assert until(lambda: pixels(page) == with_all)
    page.keyboard.press("f")
    page.keyboard.press("Home")
    assert until(lambda: seconds(page) == 0)
    away = pixels(page)  # the camera stayed behind at the end
    page.keyboard.press("f")
    assert until(lambda: pixels(page) != away)
