"""Sphinx's configuration of the documentation site: `make docs` builds it into docs/_build/html."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_sphinx")]

import hubcore  # noqa: E402  # from the tree that the page documents

project = "hubcore"
author = "The hubcore developers"
copyright = "the hubcore developers"
version = release = hubcore.__version__

extensions = ["sphinx.ext.autodoc", "myst_parser", "sphinx_copybutton", "api"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
default_role = "code"
suppress_warnings = ["ref.python"]  # an annotation `Timer` may be that of threading or that of a loop

myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
copybutton_exclude = ".linenos, .gp, .go"

pygments_style = "default"
pygments_dark_style = "github-dark"
html_theme = "furo"
html_title = f"hubcore {release}"
html_static_path = ["_static"]
html_css_files = ["hubcore.css"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_theme_options = {
    "sidebar_hide_name": False,
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0b6e6e", "color-brand-content": "#0a6cb0"},
    "dark_css_variables": {"color-brand-primary": "#5cc8c8", "color-brand-content": "#6fb7f2"},
}
