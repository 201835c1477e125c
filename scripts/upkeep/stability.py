"""Run targets of scripts/reproduce.py over disjoint sets of seeds, and on one and two threads.

The report in --output then has a table of the verdicts, named by --data. Targets, and options
not known here, are those of reproduce.py:

    python scripts/upkeep/stability.py --data offline division --offline --jobs 1

Each set has a folder of its own under --work, in which finished targets are kept: an interrupted
run goes on where it was.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import gaal_alocc.cli
from gaal_alocc.files import write_aside

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

from reproduce import parse as parse_reproduce  # noqa: E402
from reproduction import report, stored  # noqa: E402
from reproduction.targets import TARGETS  # noqa: E402

REPORTS = SCRIPTS.parent / "reports"


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line; what is not known here is for reproduce.py, which must know it."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--sets", type=int, default=5, help="disjoint sets of seeds (5)")
    parser.add_argument("--seeds", type=int, default=10, help="seeds of a set (10)")
    parser.add_argument(
        "--output", type=gaal_alocc.cli.path, default=REPORTS, help="report (default: reports/)"
    )
    parser.add_argument(
        "--work", type=gaal_alocc.cli.path, default=REPORTS / "stability", help="folder of the sets"
    )
    parser.add_argument(
        "--data", required=True, metavar="NAME", help="names the table, for example offline"
    )
    args, more = parser.parse_known_args(argv)
    asked = parse_reproduce(more)
    args.plan = "--full" if asked.full else "--quick"
    if (asked.first_seed, asked.threads) != (0, 1):
        parser.error("--first-seed and --threads differ from set to set: expected neither")
    for name in ("sets", "seeds"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} is {getattr(args, name)}; expected at least 1")
    return args, more


def collect(folder: Path) -> dict[str, str]:
    """Read the verdicts of a set, by target."""
    found = {name: stored.read(folder / name) for name in TARGETS}
    return {name: result["verdict"] for name, result in found.items() if result is not None}


def main(argv: list[str] | None = None) -> int:
    """Run all sets, write the table of their verdicts, return the exit status."""
    args, more = parse(argv)
    runs = [(args.seeds * i, 1) for i in range(args.sets)] + [(0, 2)]
    table, status = [], 0
    for first, threads in runs:
        folder = args.work / stored.slug(args.data) / f"seeds-{first}-threads-{threads}"
        command = [sys.executable, SCRIPTS / "reproduce.py", *more, "--seeds", str(args.seeds)]
        command += ["--first-seed", str(first), "--threads", str(threads), "--output", folder]
        print(f"seeds from {first}, threads {threads}", flush=True)
        status = max(status, subprocess.run(command, check=False).returncode)
        last = first + args.seeds - 1
        of = f"seeds {first} to {last}" + (f", {threads} threads" if threads > 1 else "")
        table.append({"of": of, "verdicts": collect(folder)})
        args.output.mkdir(parents=True, exist_ok=True)
        write_aside(
            args.output / report.STABILITY.format(stored.slug(args.data)),
            lambda path: path.write_text(
                json.dumps({"data": args.data, "plan": args.plan, "sets": table}, indent=1) + "\n"
            ),
        )
        report.write(TARGETS.values(), args.output)
    for name in TARGETS:
        verdicts = {one["verdicts"][name] for one in table if name in one["verdicts"]}
        if verdicts:
            print(f"  {name:22} {', '.join(sorted(verdicts))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
