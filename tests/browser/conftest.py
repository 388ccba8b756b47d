"""A browser that is on the machine already, and a JupyterLab of its own for the tests.

Chromium or Chrome is looked for by name; `CHROMIUM=/path/to/it` names another one. Pictures of
what the tests see are kept in the folder that `SCREENSHOTS` names, when it is set.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
FLAGS = ["--enable-unsafe-swiftshader", "--use-angle=swiftshader"]  # WebGL without a GPU
PATIENCE = 300_000  # ms for anything to appear, on a busy machine
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # outputs out of sight are there too
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


def find_browser() -> str | None:
    """The path of a browser that Playwright can drive."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), MAC]
    return next((path for path in found if path and Path(path).exists()), None)


@pytest.fixture(scope="module")
def browser():
    """Closed after each module: while it is open, no other test could run an event loop."""
    api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium on this machine: apt install chromium, or set CHROMIUM=/its/path")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(request, browser, keep):
    """Opens pages; at the end no page may have had an error of its own."""
    pages, errors = [], []

    def open_it(url: str, width: int = 1280, height: int = 900, scale: float = 1, **options):
        page = browser.new_page(
            viewport={"width": width, "height": height}, device_scale_factor=scale, **options
        )
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        pages.append(page)
        return page

    yield open_it
    for number, page in enumerate(pages):
        keep(page, f"{request.node.name}_{number}")
        page.close()
    assert not errors


@pytest.fixture
def keep(request):
    """Keeps a picture of a page, where pictures are wanted."""
    folder = os.environ.get("SCREENSHOTS")

    def shoot(page, name: str, **options) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", **options)

    return shoot


@dataclass
class Lab:
    """A running JupyterLab.

    Attributes:
        url: of the server.
        token: that opens it.
        root: the folder that it shows.
        settings: the folder of its users' settings.
    """

    url: str
    token: str
    root: Path
    settings: Path

    def address(self, notebook: str) -> str:
        """Of a notebook, alone on the page."""
        return f"{self.url}/doc/tree/{notebook}?token={self.token}"

    def set_theme(self, dark: bool) -> None:
        """For the pages that are opened from now on."""
        name = f"JupyterLab {'Dark' if dark else 'Light'}"
        self.write("apputils-extension/themes", {"theme": name})

    def write(self, name: str, values: dict) -> None:
        """Change the users' settings."""
        path = self.settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    """JupyterLab on an empty folder, with the shortest budget and untouched settings."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = ("CONFIG", "DATA", "RUNTIME")
    environment = {**os.environ, "QUADLIB_BUDGET": "ci"}
    environment |= {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in own}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "spaces")}
    lab = Lab(f"http://127.0.0.1:{port}", "of-the-tests", folder / "root", folder / "settings")
    lab.root.mkdir()
    for name, values in SETTINGS.items():
        lab.write(name, values)
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={lab.root}",
        f"--IdentityProvider.token={lab.token}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = (folder / "log.txt").open("w+")
    server = subprocess.Popen(command, env=environment, cwd=lab.root, stdout=log, stderr=log)
    try:
        _wait_for(lab, server, log)
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(20)  # it ends its kernels first
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def _wait_for(lab: Lab, server: subprocess.Popen, log) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=5)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    log.seek(0)
    pytest.fail(f"JupyterLab did not start:\n{log.read()[-2000:]}")
