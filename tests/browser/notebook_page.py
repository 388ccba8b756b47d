"""What a student does with a notebook in JupyterLab, and what they see."""

import time

import build
import nbformat


class NotebookPage:
    """A notebook on a page of its own.

    Args:
        open_page: the fixture.
        lab: the server.
        name: of a notebook in its folder.
        cells: sources of code cells, to write that notebook first.
        more: for `open_page`.
    """

    def __init__(self, open_page, lab, name: str, cells: list[str] | None = None, **more) -> None:
        if cells is not None:
            cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
            notebook = nbformat.v4.new_notebook(cells=cells, metadata=build.METADATA)
            nbformat.write(notebook, lab.root / name)
        self.page = open_page(lab.address(name), **more)
        kernel = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
        self.page.wait_for_function(f"window.jupyterapp && {kernel}?.status === 'idle'")

    def run_all(self) -> None:
        """Run > Run All Cells, until the last one is done."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")

    def start(self) -> None:
        """The same without waiting."""
        self.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")

    def run_cell(self, number: int) -> None:
        """One cell, until it is done."""
        content = "jupyterapp.shell.currentWidget.content"
        self.page.evaluate(f"{content}.deselectAll(), {content}.activeCellIndex = {number}")
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")

    def text(self, number: int) -> str:
        """What a code cell printed."""
        return "".join(output.get("text", "") for output in self.outputs()[number]).strip()

    def press_stop(self) -> None:
        """The stop button ■ of the toolbar."""
        self.page.click('[data-jp-item-name="interrupt"] button, [data-jp-item-name="interrupt"]')

    def outputs(self) -> list[list[dict]]:
        """Of each code cell, as they would be saved."""
        cells = self.page.evaluate("jupyterapp.shell.currentWidget.content.model.toJSON().cells")
        return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]

    def errors(self) -> list[str]:
        """Every error and warning of its cells, as a student would read it."""
        flat = [output for outputs in self.outputs() for output in outputs]
        failed = [f"{o['ename']}: {o['evalue']}" for o in flat if o["output_type"] == "error"]
        warned = [str(o["text"]) for o in flat if o.get("name") == "stderr"]
        return failed + warned

    def replays(self) -> list:
        """The frames of the 3D replays, in their order on the page."""
        return [frame for frame in self.page.frames if frame.query_selector("#scene")]


def until(condition, patience: float = 120.0) -> bool:
    """Wait for a condition that no event tells of."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
