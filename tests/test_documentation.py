"""README and docs: commands that others run, links, and the code of the first screen."""

import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def anchors(page):
    """GitHub's names of the headings, and those set by hand."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.M)
    slugs = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]
    return {*slugs, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("mark", ["main", "test"])
def test_a_marked_command_is_one_line_that_makes_its_environment(mark):
    readme = (ROOT / "README.md").read_text()
    (command,) = re.findall(rf"<!-- {mark} command -->\n```sh\n(.*)\n```\n", readme)
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q -e ")


@pytest.mark.parametrize(
    "page",
    [*sorted(ROOT.glob("*.md")), *PAGES, ROOT / "docs" / "report" / "index.md"],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_links_lead_somewhere(page):
    for link in re.findall(r'(?:\]\(|src=")([^)"\s]+)[)"]', page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]


def commands():
    """The scripts that pages name, and of each the options that they call it with."""
    found = {}
    for page in TEXTS:
        text = page.read_text().replace("\\\n", " ")
        for path, options in re.findall(r"python\s+scripts/([\w/]+)\.py([^`\n#]*)", text):
            found.setdefault(path, set()).update(re.findall(r"(?<= )--[\w-]+", options))
    return found


@pytest.mark.parametrize(("path", "options"), commands().items())
def test_a_command_in_a_page_is_a_script_that_knows_its_options(path, options, capsys):
    assert (ROOT / "scripts" / f"{path}.py").is_file()
    with pytest.raises(SystemExit) as left:
        importlib.import_module(Path(path).name).main(["--help"])
    assert left.value.code == 0
    told = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert options <= told


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    folders = "scripts|tests|docs|notebooks|gaal|alocc|gaal_alocc"
    for path in re.findall(rf"(?<![\w/.])((?:{folders})/[\w/]+\.\w+)", page.read_text()):
        module = path.removesuffix(".py").replace("/", ".")
        of_a_package = path.startswith(("gaal", "alocc"))  # which is installed, wherever that is
        assert find_spec(module) if of_a_package else (ROOT / path).exists(), path


def test_the_index_has_every_page():
    links = re.findall(r"\]\(([\w]+\.md)", (ROOT / "docs" / "index.md").read_text())
    assert sorted(links) == [page.name for page in PAGES if page.name != "index.md"]


@pytest.mark.parametrize(
    ("shorter", "auc"),
    [("n_estimators=1, n_updates=64, ", 0.5), pytest.param("", 0.95, marks=pytest.mark.slow)],
    ids=["shorter", "as it is"],
)
def test_the_first_screens_code_finds_the_outliers(shorter, auc):
    readme = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, flags=re.S).group(1)
    assert len([line for line in code.splitlines() if line]) == 5
    assert code.count("GAALEnsemble(random_state=0)") == 1
    names = {}
    exec(code.replace("(random_state", f"({shorter}random_state"), names)
    scores = names["detector"].score_samples(names["X"])
    assert roc_auc_score(names["y"], -scores) > auc
    assert set(np.unique(names["detector"].predict(names["X"]))) == {-1, 1}
