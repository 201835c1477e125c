"""The site: the pages as they lie here, the notebooks as they were run, and every public name.

The source folder is the checkout, so that links lead on the site where they lead in the files.
"""

import importlib.util
import pkgutil
import re
from pathlib import Path

import gaal_alocc

project = "GAAL and ALOCC"
author = "the authors of gaal-alocc"
version = release = gaal_alocc.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/report/index.md",
    "docs/api/*.rst",
    "notebooks/*.ipynb",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = ["**/.*", "build", "output", "reports", "tests"]
nitpicky = True
nitpick_ignore_regex = [  # of other libraries, in signatures
    ("py:class", r"(?!(gaal|alocc|gaal_alocc)\.)\w+\..*"),
    ("py:class", r"(tuple|collections\.abc\.Callable)\[.*|Axes|Figure|BaseEstimator"),
]

# Pages
smartquotes = False  # no dash of --full
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 4  # by GitHub's names
nb_execution_mode = "off"
nb_merge_streams = True

# Names
PACKAGES = ("gaal", "alocc", "gaal_alocc")
autosummary_context = {"shown_elsewhere": {}}
autodoc_default_options = {
    "members": True,
    "inherited-members": True,
    "member-order": "bysource",
    "no-value": True,
}
autodoc_inherit_docstrings = False
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
numpydoc_show_class_members = False

# Looks
html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = [str(Path(__file__).parent / "_templates")]
html_additional_pages = {"index": "front.html"}
html_copy_source = False
html_show_copyright = False


def name_what_is_shown_elsewhere(app):
    """Tell the template which names of a module stand on another's page, by that one's __all__.

    And remove the pages of modules that are no more.
    """
    for package in map(importlib.import_module, PACKAGES):
        found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        for module in (package, *(importlib.import_module(one.name) for one in found)):
            for name in getattr(module, "__all__", ()):
                home = getattr(getattr(module, name), "__module__", module.__name__)
                if home != module.__name__:
                    autosummary_context["shown_elsewhere"].setdefault(home, []).append(name)
    for page in (Path(__file__).parent / "api").glob("*.rst"):
        if importlib.util.find_spec(page.stem) is None:
            page.unlink()


def read_pages(app, docname, source):
    """Make MyST's targets of GitHub's anchors, and the site's contents of the index's sections."""
    source[0] = re.sub(r'^<a id="(.+?)"></a>$', r"(\1)=", source[0], flags=re.M)
    if docname == root_doc:
        for section in re.split("^## ", source[0], flags=re.M)[1:]:
            links = re.findall(r"\[([^]]+)\]\(([^:#)]+\.(?:md|ipynb))\)", section)
            pages = [f"{' '.join(text.split())} <{page}>" for text, page in links]
            contents = [f":caption: {section.splitlines()[0]}", ":hidden:", "", *pages]
            source[0] += "\n".join(["\n```{toctree}", *contents, "```\n"])


def leave_out(app, what, name, obj, skip, options):
    """Leave out what a class inherits from another library."""
    obj = getattr(obj, "fget", None) or obj
    module = getattr(getattr(obj, "__objclass__", obj), "__module__", None)
    if what in ("class", "exception") and module and module.split(".")[0] not in PACKAGES:
        return True
    return None


def show_source(app, pagename, templatename, context, doctree):
    """Take viewcode's ways back out of its pages: it knows one page for all names of a module."""
    if pagename.startswith("_modules/"):
        back = r'<a class="viewcode-back".*?</a>'
        context["body"] = re.sub(back, "", context["body"], flags=re.S)


def setup(app):
    """Connect the functions above."""
    app.connect("builder-inited", name_what_is_shown_elsewhere, priority=400)
    app.connect("source-read", read_pages)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("html-page-context", show_source)
