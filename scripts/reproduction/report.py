"""The report made of all finished targets, as Markdown and as a page."""

import html
import json
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from common.tables import markdown

from gaal_alocc.files import write_aside
from reproduction import verdicts
from reproduction.stored import ENVIRONMENT, RUNS, read, read_runs
from reproduction.target import Target

STABILITY = "stability-{}.json"
STABLE = "The verdicts over disjoint sets of seeds, and on one and two threads"
PROTOCOL = (
    "Every AUC of GAAL is the published protocol's: measured on the training data, its labels used"
    " for nothing else. How a detector does on new data is told by the target of that name alone."
)
RULES = (
    "Each comparison names its rule; the verdict on a target is the worst of its comparisons. The"
    " tests of a target are judged together, the more the stricter: a faithful program fails them"
    f" with a chance of {verdicts.LEVEL:.0%} at most (p-values adjusted as Benjamini and Hochberg"
    f" do, those of statements of order as Bonferroni; below {verdicts.LEVEL:g} is different). A"
    " statement of order holds, does not hold, or cannot be told. Numbers of data that stand in"
    " for the published ones are judged only where the published program was run on the same"
    " points."
)
CHECKED = (
    "scripts/reproduce.py --verify FOLDER recomputes every verdict and table from the raw numbers"
    " beside it, in seconds; with --again N it repeats N runs drawn at random and compares."
)
NOT_KEPT = "not kept by this run, of an earlier version: its verdict cannot be recomputed"
MARKS = {
    verdicts.REPRODUCED: "good",
    verdicts.HOLDS: "good",
    verdicts.DIFFERS: "bad",
    verdicts.FAILS: "bad",
    verdicts.UNTOLD: "open",
    verdicts.STAND_IN: "open",
    verdicts.CANNOT: "open",
}


def summary(comparisons: list[dict]) -> str:
    """Say in a line how many comparisons hold, and the first that does not, or the first."""
    judged = [c for c in comparisons if c["verdict"] not in (verdicts.CANNOT, verdicts.STAND_IN)]
    good = [c for c in judged if MARKS[c["verdict"]] == "good"]
    wrong = [c for c in judged if c not in good]
    count = f"{len(good)} of {len(judged)} hold; " if judged else ""
    shown = (sorted(wrong, key=lambda c: list(verdicts.ORDER).index(c["verdict"])) or comparisons)[
        0
    ]
    beside = f", published {shown['published']}" if wrong else ""
    return f"{count}{shown['what']}: {shown['ours']}{beside}"


def collect(targets: Iterable[Target], output: Path) -> list[dict]:
    """Read the results of all finished targets, with a summary of each and its raw numbers."""
    results = []
    for target in targets:
        folder = output / target.name
        if (result := read(folder)) is not None:
            told = {"summary": summary(result["comparisons"]), "raw": read_runs(folder)}
            results.append({**result, **told})
    return results


def pages(results: list[dict], output: Path) -> dict[str, str]:
    """Lay all results out, by the names of the files."""
    return {"index.html": page(results, output), "index.md": text_of(results, output)}


def write(targets: Iterable[Target], output: Path) -> list[dict]:
    """Write index.html and index.md of all finished targets, and return their results."""
    results = collect(targets, output)
    for name, text in pages(results, output).items():
        write_aside(output / name, lambda path, text=text: path.write_text(text))
    return results


def number(value, column: str = "") -> str:
    """Write a cell of a table."""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        if column.startswith("seconds"):
            return f"{value:.1f}"
        return f"{value:.4g}"
    return str(value)


def comparison_rows(result: dict) -> list[list[str]]:
    """Lay the comparisons of a target out as rows of text."""
    return [
        [
            c["what"],
            c["of"],
            c["ours"],
            c["published"],
            "" if c["difference"] is None else f"{c['difference']:+.3g}",
            rule_of(c),
            c["verdict"],
        ]
        for c in result["comparisons"]
    ]


def rule_of(comparison: dict) -> str:
    """Write the rule of a comparison and the p of a test, or why there is none."""
    if comparison["reason"] or comparison["outcomes"] is None:
        return comparison["reason"] or comparison["rule"]
    return f"{comparison['rule']}: p {comparison['p']:.2g}, adjusted {comparison['adjusted']:.2g}"


KEPT = (RUNS, ENVIRONMENT)
COMPARED = ["", "of", "ours", "published", "difference", "rule", "verdict"]


def facts(result: dict) -> list[tuple[str, str]]:
    """List what one needs to know to judge and to redo a target."""
    return [
        ("Source", result["source"]),
        ("Settings", result["settings"]),
        ("Plan", "--full" if result["plan"]["full"] else "--quick"),
        ("Seeds", ", ".join(map(str, result["seeds"])) or "none"),
        ("Versions", ", ".join(f"{name} {v}" for name, v in result["versions"].items())),
        *(
            [("Time", f"{core_minutes([result])}, with the runs that other targets share")]
            if result["raw"]
            else []
        ),
    ]


def tables_of(result: dict, output: Path) -> list[tuple[str, str, list[str], list[list[str]]]]:
    """Read the tables of a target: title, file, header and rows of text."""
    laid = []
    for table in result["tables"]:
        frame = pd.read_csv(output / result["name"] / table["file"], keep_default_na=False)
        rows = [
            [number(value, name) for name, value in zip(frame.columns, row)]
            for row in frame.itertuples(index=False)
        ]
        laid.append((table["title"], table["file"], list(frame.columns), rows))
    return laid


def counts(results: list[dict]) -> str:
    """Count the verdicts."""
    found = [result["verdict"] for result in results]
    plural = {verdicts.DIFFERS: "differ"}
    order = dict.fromkeys((verdicts.REPRODUCED, verdicts.DIFFERS, *MARKS))
    told = [f"{n} {v if n == 1 else plural.get(v, v)}" for v in order if (n := found.count(v))]
    full = sum(result["plan"]["full"] for result in results)
    plans = {0: "--quick", len(results): "--full"}.get(full, f"--full in {full} of {len(results)}")
    return f"{', '.join(told)}; {plans}, {core_minutes(results)}"


def core_minutes(results: list[dict]) -> str:
    """Sum the processor time of runs, one that targets share once."""
    counted = sum(bool(result["raw"]) for result in results)
    of = {json.dumps(run["of"]): run["cpu_seconds"] for r in results for run in r["raw"]}
    targets = "" if counted == len(results) else f" for {counted} of {len(results)} targets"
    return f"{sum(of.values()) / 60:.1f} minutes of one core{targets}"


def stand_ins(results: list[dict]) -> str:
    """Say what stands in for published data, once for all targets."""
    told = {}
    for result in results:
        if result["stand_in"]:
            told.setdefault(result["stand_in"], []).append(result["name"])
    return "; ".join(f"{what} ({', '.join(names)})" for what, names in told.items())


def stability(results: list[dict], output: Path) -> list[tuple[str, list[str], list[list[str]]]]:
    """Lay out the verdicts over other seeds and threads that scripts/upkeep/stability.py left."""
    titles = {r["name"]: r["title"] for r in results}
    laid = []
    for path in sorted(output.glob(STABILITY.format("*"))):
        sets = json.loads(path.read_text())
        names = dict.fromkeys(name for one in sets["sets"] for name in one["verdicts"])
        rows = [
            [titles.get(name, name), *(one["verdicts"].get(name, "") for one in sets["sets"])]
            for name in names
        ]
        header = ["target", *(one["of"] for one in sets["sets"])]
        laid.append((f"{STABLE}, {sets['plan']}, {sets['data']}", header, rows))
    return laid


# --- Markdown ------------------------------------------------------------------------------------


def text_of(results: list[dict], output: Path) -> str:
    """Lay all results out as Markdown."""
    lines = ["# GAAL and ALOCC: the published figures and tables", "", f"{counts(results)}.", ""]
    if told := stand_ins(results):
        lines += [f"Stand-ins: {told}.", ""]
    lines += markdown(
        ["target", "verdict", "what came out"],
        [[f"[{r['title']}](#{r['name']})", r["verdict"], r["summary"]] for r in results],
    )
    for title, header, rows in stability(results, output):
        lines += ["", f"{title}:", "", *markdown(header, rows)]
    lines += ["", PROTOCOL, "", RULES, "", CHECKED]
    for result in results:
        lines += ["", f'<a id="{result["name"]}"></a>', "", f"## {result['title']}", ""]
        lines += [f"**{result['verdict']}**", ""]
        lines += [
            f"![{figure['title']}]({result['name']}/{figure['file']})\n"
            for figure in result["figures"]
        ]
        lines += [*markdown(COMPARED, comparison_rows(result)), ""]
        for title, file, header, rows in tables_of(result, output):
            lines += [f"{title} ([CSV]({result['name']}/{file})):", ""]
            lines += [*markdown(header, rows), ""]
        lines += [f"{note}\n" for note in result["notes"]]
        lines += [f"- {name}: {value}" for name, value in facts(result)]
        lines += [
            f"- Data: {data['name']}, {data['source']}; SHA-256 `{data['sha256']}`"
            for data in result["data"]
        ]
        kept = ", ".join(f"[{file}]({result['name']}/{file})" for file in KEPT)
        lines += [f"- Raw numbers: {kept if result['raw'] else NOT_KEPT}"]
        lines += [f"- Alone: `{result['command']}`"]
    return "\n".join([*lines, ""])


# --- HTML ----------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #b3261e; --open: #6a6a6a; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line);
     padding-top: 1.5rem; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; background: white; border-radius: 4px; }
figcaption, .small { font-size: .85rem; opacity: .8; }
.scroll { overflow-x: auto; }
.scroll td { min-width: 6rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; }
.badge { display: inline-block; padding: .05rem .5rem; border-radius: 1rem; color: white;
         font-size: .8rem; white-space: nowrap; }
.good { background: var(--good); } .bad { background: var(--bad); }
.open { background: var(--open); }
code { overflow-wrap: anywhere; font-size: .9em; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
details { margin: .5rem 0; } summary { cursor: pointer; }
@media (max-width: 40rem) {
  .top, .top tbody, .top tr, .top td { display: block; }
  .top thead { display: none; }
  .top td { border: 0; padding: 0; }
  .top tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
}
"""


def badge(verdict: str) -> str:
    """Write a verdict as a coloured badge."""
    return f'<span class="badge {MARKS[verdict]}">{verdict}</span>'


def web_table(header: list[str], rows: list[list[str]]) -> str:
    """Lay text out as an HTML table that scrolls in its own box."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{badge(c) if c in MARKS else html.escape(c)}</td>" for c in row)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def section(result: dict, output: Path) -> str:
    """Lay one target out as HTML."""
    name, escape = result["name"], html.escape
    parts = [f'<h2 id="{name}">{escape(result["title"])} {badge(result["verdict"])}</h2>']
    parts += [
        f'<figure><img src="{name}/{figure["file"]}" width="{figure["width"]}"'
        f' height="{figure["height"]}" alt="{escape(figure["title"])}">'
        f"<figcaption>{escape(figure['title'])}</figcaption></figure>"
        for figure in result["figures"]
    ]
    parts += [f"<p>{escape(note)}</p>" for note in result["notes"]]
    rows = comparison_rows(result)
    title = f"{len(rows)} comparisons: {escape(result['summary'])}"
    is_open = "" if len(rows) > 8 else " open"
    table = web_table(COMPARED, rows)
    parts += [f"<details{is_open}><summary>{title}</summary>{table}</details>"]
    for title, file, header, rows in tables_of(result, output):
        parts += [
            f'<details><summary>{escape(title)} (<a href="{name}/{file}">CSV</a>)</summary>'
            f"{web_table(header, rows)}</details>"
        ]
    known = "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in facts(result))
    known += "".join(
        f"<dt>Data: {escape(data['name'])}</dt><dd>{escape(data['source'])}; SHA-256"
        f" <code>{data['sha256']}</code></dd>"
        for data in result["data"]
    )
    kept = ", ".join(f'<a href="{name}/{file}">{file}</a>' for file in KEPT)
    known += f"<dt>Raw numbers</dt><dd>{kept if result['raw'] else NOT_KEPT}</dd>"
    known += f"<dt>Alone</dt><dd><code>{escape(result['command'])}</code></dd>"
    title = "Settings, data, raw numbers, versions"
    parts += [f"<details><summary>{title}</summary><dl>{known}</dl></details>"]
    return "\n".join(parts)


def page(results: list[dict], output: Path) -> str:
    """Lay all results out as one page of HTML."""
    rows = "".join(
        f'<tr><td><a href="#{r["name"]}">{html.escape(r["title"])}</a></td>'
        f'<td>{badge(r["verdict"])}</td><td class="small">{html.escape(r["summary"])}</td></tr>'
        for r in results
    )
    sections = "\n".join(section(result, output) for result in results)
    told = stand_ins(results)
    others = "\n".join(
        f"<details><summary>{title}</summary>{web_table(header, rows)}</details>"
        for title, header, rows in stability(results, output)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>GAAL and ALOCC: the published figures and tables</title>
<style>{STYLE}</style>
</head>
<body>
<h1>GAAL and ALOCC: the published figures and tables</h1>
<p>{counts(results)}.</p>
{f"<p>Stand-ins: {html.escape(told)}.</p>" if told else ""}
<table class="top"><thead><tr><th>target</th><th>verdict</th><th>what came out</th></tr></thead>
<tbody>{rows}</tbody></table>
{others}
<p class="small">{PROTOCOL}</p>
<p class="small">{RULES}</p>
<p class="small">{CHECKED}</p>
{sections}
</body>
</html>
"""
