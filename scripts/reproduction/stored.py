"""What a finished target leaves on disk, beside the pages that are made of it.

A target's folder holds ``result.json``, what the report states of it; ``runs.json``, the raw
numbers of its runs; ``environment.txt``, the packages that they were made with; its figures and
its tables. The folder appears whole or not at all.
"""

import io
import itertools
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from matplotlib.figure import Figure
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

import gaal_alocc
from gaal_alocc import onednn
from reproduction import verdicts
from reproduction.target import Outcome, Plan, Target, as_json

DPI = 110
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn")
FILES = ("home", "mnist", "ucsd", "caltech")  # arguments of a piece: where its data lie, or None
RESULT, RUNS, ENVIRONMENT = "result.json", "runs.json", "environment.txt"


def versions() -> dict[str, str]:
    """Find the versions that the numbers depend on."""
    ours = {"gaal-alocc": gaal_alocc.__version__, "Python": platform.python_version()}
    return ours | {name: metadata.version(name) for name in PACKAGES}


def environment() -> str:
    """List the packages that the numbers depend on, as pip takes them, below the machine."""
    found, wanted = {}, [*PACKAGES, "pandas", "scipy"]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found[name] = metadata.version(name)
        required = map(Requirement, metadata.requires(name) or ())
        needed = (r for r in required if r.marker is None or r.marker.evaluate({"extra": ""}))
        wanted += [canonicalize_name(requirement.name) for requirement in needed]
    ours = f"gaal-alocc {gaal_alocc.__version__}, Python {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {processor()}"
    lines = [f"{name}=={version}" for name, version in sorted(found.items())]
    return "\n".join([f"# {ours}, {machine}", *lines, ""])


def processor() -> str:
    """Name what the last digits of sums differ by: the processor, its instructions, and oneDNN."""
    return _processor() + (", oneDNN" if onednn.chosen() else "")


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown processor"
    told = dict(re.findall(r"^(model name|flags)\s*: (.*)$", text, re.MULTILINE))
    flags = [f for f in told.get("flags", "").split() if re.match("fma|avx|amx", f)]
    return f"{told.get('model name', platform.machine())} with {' '.join(flags) or 'no flags'}"


def identity(plan: Plan) -> dict:
    """Tell one plan's results from another's."""
    return {
        "full": plan.full,
        "seeds": plan.seeds,
        "first seed": plan.first_seed,
        "threads": plan.threads,
        "published files": plan.gaal_home is not None,
        "MNIST": plan.mnist is not None,
        # Only where they are: most have none of them.
        **({"UCSD Ped2": True} if plan.ucsd else {}),
        **({"Caltech-256": True} if plan.caltech else {}),
    }


def command(target: Target, plan: Plan) -> str:
    """Write the command that makes this target alone, anywhere."""
    words = ["python scripts/reproduce.py", target.name, "--full" if plan.full else "--quick"]
    words += ["--seeds", str(plan.seeds)]
    if plan.first_seed:
        words += ["--first-seed", str(plan.first_seed)]
    if plan.threads != 1:
        words += ["--threads", str(plan.threads)]
    words += ["--force"]
    if plan.full or plan.gaal_home is not None or plan.mnist is not None:
        words += ["--data-home", "DATA"]
    return " ".join(words)


def kept(target: Target, plan: Plan, output: Path) -> str:
    """Say why this target need not be run: it is finished with this plan, or with a full one.

    With these versions of everything that the numbers depend on, and with the runs that it has now;
    "" if it has to be run.
    """
    folder = output / target.name
    result = read(folder)
    if result is None or "runs" not in result or result["versions"] != versions():
        return ""
    if not (folder / RUNS).is_file() or others(target, result, folder):
        return ""
    if result["plan"]["full"] and not plan.full:
        return "kept, of --full; --force replaces it"
    return "kept" if result["plan"] == identity(plan) else ""


def others(target: Target, result: dict, folder: Path) -> str:
    """Say whether a finished target has other runs than its plan asks for now, "" if it has not."""
    if result["settings"] != target.settings:
        return f"settings: the report states {result['settings']!r}, they are {target.settings!r}"
    recorded = [run["of"] for run in read_runs(folder)]
    asked = asked_of(target, planned(result))
    for i, (theirs, ours) in enumerate(itertools.zip_longest(recorded, asked)):
        if theirs != ours:
            return f"run {i}: the report has one of {theirs}, its plan asks for {ours}"
    return ""


def asked_of(target: Target, plan: Plan) -> list[dict]:
    """List what runs a plan asks for, as a report records them."""
    return [as_json(portable(target.run, piece)) for piece in target.pieces(plan)]


def planned(result: dict) -> Plan:
    """Give the plan of a finished target, with a path of no meaning for each file that it had."""
    plan = result["plan"]
    files = {
        "gaal_home": plan["published files"],
        "mnist": plan["MNIST"],
        "ucsd": plan.get("UCSD Ped2"),
        "caltech": plan.get("Caltech-256"),
    }
    paths = {name: Path() if there else None for name, there in files.items()}
    return Plan(plan["full"], plan["seeds"], plan["first seed"], plan["threads"], **paths)


def read(folder: Path) -> dict | None:
    """Read a finished target, None where there is none."""
    try:
        return json.loads((folder / RESULT).read_text())
    except FileNotFoundError:
        return None


def read_runs(folder: Path) -> list[dict]:
    """Read the raw numbers of a finished target; none where it was made before they were kept."""
    kept = "runs" in json.loads((folder / RESULT).read_text())
    return json.loads((folder / RUNS).read_text()) if kept else []


def store(
    target: Target, plan: Plan, pieces: list[dict], made: list[tuple[dict, float]], output: Path
) -> None:
    """Judge and draw what the runs of a target returned, and write its folder, aside first.

    ``made`` are what each of the ``pieces`` returned and its seconds of processor time.
    """
    results = [result for result, _ in made]
    runs = as_json(
        [
            {
                "of": portable(target.run, piece),
                "cpu_seconds": round(seconds, 3),
                "numbers": target.numbers(result),
            }
            for piece, (result, seconds) in zip(pieces, made, strict=True)
        ]
    )
    outcome = target.judge([run["numbers"] for run in runs])
    result = {
        "name": target.name,
        "title": target.title,
        "source": target.source,
        "settings": target.settings,
        "plan": identity(plan),
        **stated(outcome),
        "data": target.data(plan),
        "versions": versions(),
        "runs": len(runs),
        "seeds": sorted({piece["seed"] for piece in pieces if "seed" in piece}),
        "command": command(target, plan),
        "figures": [],
        "tables": [],
    }
    aside = Path(tempfile.mkdtemp(dir=output, prefix=f".{target.name}."))
    try:
        for title, figure in target.draw(plan, results).items():
            film = isinstance(figure, bytes)
            file = f"{slug(title)}.{'webp' if film else 'png'}"
            if film:
                (aside / file).write_bytes(figure)
            else:
                save(figure, aside / file)
            with Image.open(aside / file) as image:
                width, height = image.size
            result["figures"].append(
                {"title": title, "file": file, "width": width, "height": height}
            )
        for title, table in outcome.tables.items():
            file = f"{slug(title)}.csv"
            table.to_csv(aside / file, index=False)
            result["tables"].append({"title": title, "file": file})
        text = json.dumps(result, indent=1, ensure_ascii=False)
        (aside / RESULT).write_text(text + "\n")
        lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in runs)
        (aside / RUNS).write_text(f"[\n{lines}\n]\n")
        (aside / ENVIRONMENT).write_text(environment())
        aside.chmod(0o755)
        final = output / target.name
        if final.exists():
            old = Path(tempfile.mkdtemp(dir=output, prefix=f".{target.name}.old."))
            os.replace(final, old / "old")
            os.replace(aside, final)
            shutil.rmtree(old)
        else:
            os.replace(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def stated(outcome: Outcome) -> dict:
    """Tell what the report states of an outcome, its tables apart."""
    return as_json(
        {
            "verdict": verdicts.overall(outcome.comparisons),
            "comparisons": [
                {name: value for name, value in vars(comparison).items() if name != "pairs"}
                for comparison in outcome.comparisons
            ],
            "notes": outcome.notes,
            "stand_in": outcome.stand_in,
        }
    )


def portable(run: Callable[..., dict], piece: dict) -> dict:
    """Tell a piece from all others wherever its data lie: what was run, and whether on files."""
    run = piece.get("run", run).__name__
    files = {name: piece[name] is not None for name in FILES if name in piece}
    return {**piece, "run": run, **files}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG in 256 colours, a third of the size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png")
    image = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path, format="png", optimize=True)


def slug(title: str) -> str:
    """Make a file's name of a title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
