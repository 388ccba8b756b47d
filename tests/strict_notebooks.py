"""nbval, made strict: whatever goes wrong in a notebook turns its cell red.

nbval alone lets pass a cell that swallows the interrupt of its time limit, a `!command` or `%pip`
that fails, a cell tagged `raises-exception` that raises nothing, and an exception in a thread.
"""

from collections import defaultdict

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

SECONDS_FOR_OUTPUT = 20  # nbval waits 5 s for a cell's last output, too little on a busy machine

# Runs in the notebook's kernel before its first cell. Hidden in a function: a notebook must not
# come to rely on a name or an import that it did not write.
PRELUDE = """
def _watch():
    import threading, traceback
    get_ipython().system_raise_on_error = True
    failures = []
    threading.excepthook = lambda args: failures.append(
        "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
    )
    def report(wait):
        if wait:
            for thread in threading.enumerate():
                if thread is not threading.main_thread() and not thread.daemon:
                    thread.join(timeout=10)
        found, failures[:] = "\\n".join(failures), []
        return found
    get_ipython()._failed_threads = report
_watch()
del _watch
"""

seconds: dict[str, float] = defaultdict(float)


def ask(kernel: RunningKernel, code: str = "", expression: str = "None") -> str:
    """Run code in the kernel, unseen by the notebook, and return the repr of an expression."""
    reply = kernel.kc.execute_interactive(
        code,
        silent=True,
        store_history=False,
        allow_stdin=False,
        user_expressions={"answer": expression},
        timeout=SECONDS_FOR_OUTPUT,
        output_hook=lambda message: None,
    )["content"]
    if reply["status"] != "ok" or reply["user_expressions"]["answer"]["status"] != "ok":
        raise RuntimeError(f"the kernel could not run {code or expression!r}: {reply}")
    return reply["user_expressions"]["answer"]["data"]["text/plain"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    if not isinstance(item, IPyNbCell) or item.options["skip"]:
        return (yield)
    notebook = item.parent
    item.output_timeout = SECONDS_FOR_OUTPUT
    timed_out_before = notebook.timed_out
    if not getattr(notebook, "watched", False):
        ask(notebook.kernel, PRELUDE)
        notebook.watched = True

    result = yield

    if notebook.timed_out and not timed_out_before:
        limit = item.config.option.nbval_cell_timeout
        item.raise_cell_error(f"Time limit of {limit:g} s exceeded (the cell caught the interrupt)")
    if item.options["check_exception"] and not raised(item):
        item.raise_cell_error("Tagged raises-exception, but nothing was raised")
    last = item.cell_num == sum(cell.cell_type == "code" for cell in notebook.nb.cells) - 1
    failures = ask(notebook.kernel, expression=f"get_ipython()._failed_threads(wait={last})")
    if failures != "''":
        item.raise_cell_error("An exception in a thread", traceback=failures.replace("\\n", "\n"))
    return result


def raised(item: IPyNbCell) -> bool:
    return any(output.output_type == "error" for output in item.test_outputs)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    notebook = report.nodeid.split("::")[0]
    if notebook.endswith(".ipynb"):
        seconds[notebook] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if seconds:
        terminalreporter.section("time of each notebook")
        for notebook, duration in sorted(seconds.items()):
            terminalreporter.line(f"{duration:7.1f} s  {notebook}")
