"""Execute notebooks and write them back with their outputs, without traces of the machine."""

import argparse
import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from traitlets import default

import gaal_alocc.cli
from gaal_alocc.files import write_aside

ROOT = Path(__file__).resolve().parents[2]
CELL_SECONDS = 300  # a cell that takes longer hangs
# What TensorFlow says of the machine at its start, past TF_CPP_MIN_LOG_LEVEL.
START_LOG = re.compile(r"^(WARNING: All log messages before absl|[IW]0000 ).*\n?", re.MULTILINE)


class ThisInterpreter(AsyncKernelManager):
    """Starts the kernel with the running Python, whatever kernels are installed."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self):
        return KernelSpecManager(parent=self, kernel_dirs=[])


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a fresh kernel, in a folder; it finds this repository's packages.

    It is returned with its new outputs, and no metadata that depend on the machine. Raises
    CellExecutionError if a cell raises.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        kernel_manager_class=ThisInterpreter,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    search = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(search)}
    env.pop("MPLBACKEND", None)  # figures belong into the notebook
    client.execute(env=env)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for kept in map(tidy, cell.outputs) if kept is not None]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def tidy(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Take TensorFlow's start-up log out of an output, and make its picture small."""
    if output.output_type == "stream":
        output.text = START_LOG.sub("", output.text)
        if not output.text.strip():
            return None
    picture = output.get("data", {}).get("image/png")
    if picture is not None:
        # 128 colours are enough for a figure, and take a third of the bytes.
        figure = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
        file = io.BytesIO()
        figure.quantize(128, dither=Image.Dither.NONE).save(file, "png", optimize=True)
        output.data["image/png"] = base64.b64encode(file.getvalue()).decode()
    return output


def main(argv: list[str] | None = None) -> int:
    """Exit with 0, or with 1 where a notebook fails, which is then left as it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "notebooks", nargs="*", type=gaal_alocc.cli.path, help="default: all in notebooks/"
    )
    args = parser.parse_args(argv)
    failed = False
    for path in args.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        start = time.perf_counter()
        try:
            notebook = execute(nbformat.read(path, as_version=4), path.parent)
        except CellExecutionError as error:
            print(f"execute_notebooks: {path}: {error}", file=sys.stderr)
            failed = True
            continue
        write_aside(path, lambda aside, notebook=notebook: nbformat.write(notebook, aside))
        size = path.stat().st_size / 1000
        print(f"{path.name}: {time.perf_counter() - start:.0f} s, {size:.0f} kB")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
