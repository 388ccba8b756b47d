"""Sphinx: how the web site of the course looks and what it is made of. Called by web/book.py."""

import build
from docutils import nodes
from sphinx.application import Sphinx

project = "Policy gradients and learned locomotion"
html_title = project
root_doc = build.INDEX
exclude_patterns = ["**.ipynb_checkpoints"]

extensions = ["myst_nb"]
nb_execution_mode = "off"  # the outputs are those of the committed notebooks
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

# Formulas are drawn in the browser by a MathJax that lies beside the pages (see book.py).
mathjax_path = "mathjax/tex-chtml.js"

html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["course.css"]
html_show_search_summary = False  # a browser fetches no text from pages on disk
html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {
    "repository_url": f"https://github.com/{build.REPOSITORY}",
    "repository_branch": build.BRANCH,
    "path_to_docs": "notebooks",
    "use_repository_button": True,
    "use_download_button": False,
    "launch_buttons": {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
        "notebook_interface": "jupyterlab",
    },
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "home_page_in_toc": True,
    "footer_content_items": [],
    "navbar_persistent": [],  # the sidebar has a search field already
}


def hide_solutions(app: Sphinx, doctree: nodes.document) -> None:
    """Solutions have the words of their notebook: one of the two is enough in the search."""
    if app.env.docname.startswith("solutions/"):
        app.env.metadata[app.env.docname]["nosearch"] = ""


def keep_numbers(app: Sphinx, doctree: nodes.document) -> None:
    """Sphinx would put a formula with a line break into `split`, where \\tag is not allowed."""
    for block in doctree.findall(nodes.math_block):
        text = block.astext()
        if r"\\" in text and r"\tag" in text:
            block["no-wrap"] = True
            block.children = [nodes.Text(rf"\[{text}\]")]


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", hide_solutions)
    app.connect("doctree-read", keep_numbers)
