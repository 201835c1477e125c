"""The site of the pages, the notebooks and the API: whole, and without a warning."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("gaal", "alocc", "gaal_alocc")


def names():
    """Every function and class to be used, by where: in an __all__, else where it is defined."""
    modules = list(map(importlib.import_module, PACKAGES))
    for package in tuple(modules):
        found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        modules += [importlib.import_module(one.name) for one in found]
    places = {}
    for module in sorted(modules, key=lambda module: not hasattr(module, "__all__")):
        for name in getattr(module, "__all__", vars(module)):
            thing = getattr(module, name)
            ours = hasattr(module, "__all__") or getattr(thing, "__module__", "") == module.__name__
            if callable(thing) and ours and not name.startswith("_"):
                places.setdefault(thing, f"{module.__name__}.{name}")
    return {place: thing for thing, place in places.items()}


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), {""}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.links |= {attributes[key] for key in ("href", "src") if attributes.get(key)}


@pytest.mark.slow
def test_the_site_has_every_name_with_its_source_and_no_warning_or_dead_link(tmp_path):
    pytest.importorskip("pyod")
    for package in ("furo", "myst_nb", "numpydoc"):
        pytest.importorskip(package)
    index = (ROOT / "docs" / "index.md").read_text()
    (command,) = re.findall(
        r"<!-- site command -->\n```sh\n.*sphinx-build (.*) build/site\n", index
    )
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *command.split(), "-E", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr

    pages = {path.resolve(): Page(path) for path in (tmp_path / "site").rglob("*.html")}
    documented = set().union(*(page.anchors for page in pages.values()))
    for name, thing in names().items():
        assert name in documented, f"{name} has no docstring"
        source = tmp_path / "site" / "_modules" / f"{thing.__module__.replace('.', '/')}.html"
        assert thing.__name__ in pages[source.resolve()].anchors, name
    for path, page in pages.items():
        for link in page.links:
            address, _, anchor = unquote(link).partition("#")
            if re.match(r"\w+:", address):
                continue
            target = (path.parent / address.partition("?")[0]).resolve() if address else path
            assert target.exists(), (path, link)
            assert target not in pages or anchor in pages[target].anchors, (path, link)
    notebook = pages[(tmp_path / "site" / "notebooks" / "03_alocc.html").resolve()]
    assert [link for link in notebook.links if "_images/" in link]


@pytest.mark.extras
def test_docstrings_name_parameters_that_are_there_and_all_of_them():
    validate = pytest.importorskip("numpydoc.validate").validate
    for name, thing in names().items():
        codes = {"PR02"}
        if "\nParameters\n" in (inspect.getdoc(thing) or ""):
            codes.add("PR01")
        assert not [told for code, told in validate(name)["errors"] if code in codes], name
