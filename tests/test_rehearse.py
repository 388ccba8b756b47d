"""The rehearsal of a lecture: which part a cell belongs to, and how long it took."""

import pytest
import rehearse
from nbformat import v4


def ran(source, begin, end):
    times = {"iopub.execute_input": begin, "shell.execute_reply": end}
    return v4.new_code_cell(source, metadata={"execution": times})


def test_cells_are_counted_in_their_part():
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# 9 · A title"),
            v4.new_code_cell("import os", metadata={"tags": ["setup"]}),
            v4.new_markdown_cell("## 1 · First · 5 min\n\nText.\n\n### Not a part"),
            ran("\na = 1\nb = 2", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.500Z"),
            v4.new_markdown_cell("More."),
            ran("c = 3", "2026-01-01T00:01:00.000Z", "2026-01-01T00:02:00.000Z"),
            v4.new_markdown_cell("## 2 · Second · 5 min"),
            v4.new_code_cell("d = 4"),  # not run
        ]
    )
    parts = rehearse.by_part(notebook)
    assert parts[1] == [(1.5, "a = 1"), (60.0, "c = 3")]
    assert parts[2] == [(0.0, "d = 4")]


def test_a_notebook_that_does_not_exist_is_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["rehearse.py", "99:1"])
    with pytest.raises(SystemExit):
        rehearse.main()
    assert "no such notebook: 99" in capsys.readouterr().err
