"""How Sphinx builds the documentation: `make docs`. Nothing is fetched, and every warning is an error."""

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from command_line import write_command_line
from example_report import write_example
from room_pages import copy_room_pages

from turnenv import __version__

project = "turnenv"
author = "The turnenv developers"
copyright = "2026, the turnenv developers. Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
default_role = "code"
nitpicky = True
# Names of other libraries lead nowhere, since no inventory is fetched; turnenv's own have to resolve.
# So do the few private types in public signatures.
_PRIVATE = "net.chat.ChatServer policies.template.Frame policies.plain_text.FrameEncoder training.experience.Experience"
nitpick_ignore_regex = [(r"py:.*", r"(?!turnenv\.).*")]
nitpick_ignore = [("py:class", f"turnenv.{name}") for name in _PRIVATE.split()]

myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"turnenv {release}"
html_static_path = ["_static"]
html_css_files = ["turnenv.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

_PICTURE = re.compile(r'<img [^>]*?(?:class="(only-\w+)" )?src="[^>]*>')


def setup(app):
    """Put the rooms' pages into the site before Sphinx looks for pages, and an example report beside them."""
    app.connect("builder-inited", lambda app: copy_room_pages(Path(app.srcdir)))
    app.connect("builder-inited", lambda app: write_command_line(Path(app.srcdir)))
    app.connect("build-finished", _add_example)
    app.connect("build-finished", _name_landmarks)
    app.connect("html-page-context", _reachable, priority=900)


def _add_example(app, exception):
    """A report that a visitor can open."""
    if exception is None and app.builder.format == "html":
        write_example(Path(app.outdir))


def _name_landmarks(app, exception):
    """The theme's two asides get names, and its page of search results a title, for those who listen to a page."""
    if exception is not None or app.builder.format != "html":
        return
    named = {
        '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
        '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="This page">',
        '\n<div id="search-results">': '\n<h1>Search</h1><div id="search-results">',
    }
    for page in Path(app.outdir).rglob("*.html"):
        text = made = page.read_text(encoding="utf-8")
        for old, new in named.items():
            made = made.replace(old, new)
        if made != text:
            page.write_text(made, encoding="utf-8")


def _reachable(app, pagename, templatename, context, doctree):
    """What scrolls sideways can be scrolled with the keyboard too, and the sidebar's headings have a level."""
    if "body" in context:
        body = re.sub(r'<div class="(table-wrapper[^"]*)">', r'<div class="\1" tabindex="0">', context["body"])
        body = _PICTURE.sub(r'<span class="picture \1" tabindex="0">\g<0></span>', body)
        parts = re.split(r"(<pre>.*?</pre>)", body, flags=re.DOTALL)
        parts[::2] = [_unbroken(part) for part in parts[::2]]
        context["body"] = "".join(parts).replace("<pre>", '<pre tabindex="0">')
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def _unbroken(text):
    """A figure and its interval or unit stay on one line."""
    text = re.sub(r" ± (?=\d)|(?<=\d) (?=%)", lambda space: space[0].replace(" ", "\u00a0"), text)
    return re.sub(r"(\[[-+−\d.]+,) (?=[-+−\d.]+\])", "\\1\u00a0", text)
