"""The notebooks run in a fresh kernel, and are committed with the outputs of such a run."""

import re
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

import execute_notebooks as script  # noqa: E402

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 500_000
# Of a machine or of one run: folders, addresses of objects, TensorFlow's start-up log.
MACHINE = re.compile(
    r"(?<![\w.:/])/(home|work|tmp|opt|root|usr|var|mnt|Users)/|[A-Z]:\\|\bat 0x[0-9a-f]+|I0000 "
)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def kinds(outputs):
    """What the outputs of a cell are, and nothing of what they say."""
    return {kind for o in outputs for kind in o.get("data", {o.get("name", o.output_type): None})}


def texts(outputs):
    for output in outputs:
        for kind, content in {**output.get("data", {}), "text": output.get("text", "")}.items():
            if not kind.startswith("image/"):
                yield str(content)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def committed(path):
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_a_committed_notebook_is_valid_and_small(path, committed):
    nbformat.validate(committed)
    assert path.stat().st_size < MOST_BYTES


def test_it_was_run_from_top_to_bottom_without_an_error(committed):
    cells = code_cells(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]
    assert any("image/png" in kinds(cell.outputs) for cell in cells)


def test_its_outputs_tell_nothing_of_a_machine(committed):
    for cell in code_cells(committed):
        for text in texts(cell.outputs):
            assert not MACHINE.search(text), text
    assert committed.metadata.kernelspec.display_name == "Python 3"
    assert set(committed.metadata) == {"kernelspec", "language_info"}
    assert not [cell for cell in committed.cells if "execution" in cell.metadata]


@pytest.mark.parametrize(
    "text", ["/home/ann/data.csv", "read /opt/x", "C:\\data", "<f at 0x7f1a>", "I0000 00:00:1.2"]
)
def test_a_trace_of_a_machine_is_seen(text):
    assert MACHINE.search(text)


@pytest.mark.parametrize("text", ["https://a.org/home/x", "a/tmp/b", "data/opt/x", "1/k"])
def test_a_harmless_path_is_not(text):
    assert not MACHINE.search(text)


def notebook_of(tmp_path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = tmp_path / "new.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_the_script_writes_outputs_and_no_traces_of_the_machine(tmp_path, capsys):
    setup = f"FOLDER = {str(tmp_path)!r}\nPYTHON = {sys.executable!r}"
    source = (
        "import os, sys, gaal, matplotlib.pyplot as plt\n"
        "print('I0000 00:00:1 1 a.cc:1] this CPU', file=sys.stderr)\n"
        "print(os.path.samefile(os.getcwd(), FOLDER), sys.executable == PYTHON)\n"
        "plt.plot([0, 1])\n"
        "plt.show()"
    )
    path = notebook_of(tmp_path, setup, source)
    assert script.main([str(path)]) == 0
    assert "new.ipynb" in capsys.readouterr().out
    first, second = nbformat.read(path, as_version=4).cells
    assert (first.outputs, first.execution_count, second.execution_count) == ([], 1, 2)
    assert kinds(second.outputs) == {"stdout", "image/png", "text/plain"}
    assert second.outputs[0].text == "True True\n"
    assert [file.name for file in tmp_path.iterdir()] == ["new.ipynb"]


def test_the_script_leaves_a_failing_notebook_as_it_was(tmp_path, capsys):
    path = notebook_of(tmp_path, "print(1)", "1 / 0")
    before = path.read_bytes()
    assert script.main([str(path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before


# As many epochs and seeds as what is shown asks for: in these the outputs are of the same kinds.
SHORTER = {
    "01_so_gaal": {
        "UNIFORM_EPOCHS = 1000": "UNIFORM_EPOCHS = 20",
        "MOMENTS = [1, 60, 500, 850, 1000, 3000]  # epochs to look at, at most 3 * STOP_EPOCHS": (
            "MOMENTS = [1, 20, 60]"
        ),
        "detector = SOGAAL(stop_epochs=STOP_EPOCHS, random_state=SEED)": (
            "detector = SOGAAL(stop_epochs=STOP_EPOCHS, epochs=60, random_state=SEED)"
        ),
        "detector.history_.iloc[[0, 100, 500, 1000, 1500, 2001, 3000, 5999]].round(3)": (
            "detector.history_.iloc[[0, 100]].round(3)"
        ),
        # Whole trainings, from which the rule finds the stop, are those of the next section.
        '    "never learns": {"lr_g": 1e-12},': (
            '    "never learns": {"lr_g": 1e-12, "epochs": 20},'
        ),
        "MORE_SEEDS = [1, 2, 3, 4]": "MORE_SEEDS = []",
        "histories = {SEED: detector.history_}": (
            'histories = {SEED: runs["frozen at the stop node"].history_}'
        ),
        "EPOCHS = 600  # in all; at this moment the potential outliers surround the cluster": (
            "EPOCHS = 20"
        ),
        'stop_epochs = PUBLISHED["WDBC"].so_stop_epochs': "stop_epochs = 20",
        "WDBC_SEEDS = [0, 1, 2]": "WDBC_SEEDS = [0, 1]",
        "OWN_STOP_EPOCHS = 200": "OWN_STOP_EPOCHS = 20",
    },
    "02_mo_gaal": {
        "STOP_EPOCHS = 400": "STOP_EPOCHS = 40",
        "MOMENTS = [60, 200, 400, 1200]  # epochs to look at, at most 3 * STOP_EPOCHS": (
            "MOMENTS = [6, 20, 40, 120]"
        ),
        "KS = [1, 3, 10, 20]": "KS = [1, 3]",
        "K_SEEDS = [0, 1]": "K_SEEDS = [0]",
        "SIZES = [1000, 4000, 16000]": "SIZES = [1000, 4000]",
        "WDBC_SEEDS = [0, 1, 2]": "WDBC_SEEDS = [0]",
    },
    "03_alocc": {
        "from alocc import ALOCC, networks, plots, protocols, training": (
            "from alocc import ALOCC, networks, plots, protocols, training\n"
            "import functools; ALOCC = functools.partial(ALOCC, gf_dim=2, df_dim=2)"
        ),
        "EPOCHS = 40": "EPOCHS = 13",  # a table shows update 50
        "FEW_EPOCHS = 8": "FEW_EPOCHS = 1",
        "AUTHORS_EPOCHS = 30": "AUTHORS_EPOCHS = 2",
        "FIGURE8_EPOCHS = 8": "FIGURE8_EPOCHS = 1",
        "SHARES = [0.1, 0.3, 0.5]": "SHARES = [0.5]",
        "VIDEO_EPOCHS = 4": "VIDEO_EPOCHS = 1",
    },
    "04_ports": {
        "POST_STOP_EPOCHS = 1000": "POST_STOP_EPOCHS = 20",
        "SHORT = 400  # stop_epochs; the published 1000 takes longer": "SHORT = 20",
        "WDBC_SEEDS = [0, 1, 2]": "WDBC_SEEDS = [0]",
    },
    "05_ensemble": {
        "N_UPDATES = 2000": "N_UPDATES = 200",
        "MEMBERS = 5": "MEMBERS = 2",
        "five = GAALEnsemble(MEMBERS, n_updates=4000, scale=None, random_state=0).fit(X1)": (
            "five = GAALEnsemble(MEMBERS, n_updates=400, scale=None, random_state=0).fit(X1)"
        ),
        "    detector = GAALEnsemble(random_state=seed).fit(benign[:250])": (
            "    detector = GAALEnsemble(n_updates=200, random_state=seed).fit(benign[:250])"
        ),
        "detector = GAALEnsemble(random_state=0).fit(wdbc, labels)": (
            "detector = GAALEnsemble(n_updates=200, random_state=0).fit(wdbc, labels)"
        ),
    },
}


@pytest.mark.slow
def test_it_runs_again_and_its_outputs_are_of_the_same_kinds(path, committed):
    shorter = nbformat.read(path, as_version=4)
    for long, short in SHORTER.get(path.stem, {}).items():
        (cell,) = [c for c in code_cells(shorter) if long in c.source.splitlines()]
        cell.source = cell.source.replace(long, short)
    old, new = code_cells(committed), code_cells(script.execute(shorter, path.parent))
    assert [kinds(cell.outputs) for cell in old] == [kinds(cell.outputs) for cell in new]
