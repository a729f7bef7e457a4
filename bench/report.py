"""Writes what was measured into docs/benchmarks.md, between its two marks."""
import json
import os
import subprocess
import time

from servers import ROOT, ROUNDS, SCALE

PAGE = os.path.join(ROOT, "docs", "benchmarks.md")
BEGIN, END = "<!-- measured: bench/run --keep writes this -->\n", "<!-- end of what was measured -->\n"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {models[0] if models else 'unknown'}, {memory_gb:.0f} GiB"


def figures(result, limit):
    """The figures of ours, or of the limit, for people."""
    shown = []
    for name, value in result.items():
        is_figure = isinstance(value, (int, float)) and name.rsplit("_", 1)[-1] in ("s", "ms", "mb", "tps")
        if is_figure and name.startswith("limit_") == limit and "goal" not in name and name != "rate_tps":
            shown.append(f"{name.removeprefix('limit_')} {value:,.4g}" if value < 1000
                         else f"{name.removeprefix('limit_')} {value:,.0f}")
    return ", ".join(shown)


def table(results):
    lines = ["| benchmark | ours | limit | ratio | goal |", "|---|---|---|---|---|"]
    for result in results:
        others = [ratio for ratio in result.get("ratios", []) if ratio != result["ratio"]]
        spread = f" ({', '.join(f'{ratio:.2f}' for ratio in others)})" if others else ""
        limit = "; ".join(filter(None, [result["limit"], figures(result, True)]))
        lines.append(f"| {result['name']} | {figures(result, False)} | {limit} | "
                     f"{result['ratio']:.2f}{spread} | {result.get('goal', '')} |")
    return "\n".join(lines)


def keep(results):
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, check=False).stdout.strip()
    load = os.getloadavg()[2]
    told = (f"{time.strftime('%Y-%m-%d', time.gmtime())}, commit {commit}, {machine()}, load of the last "
            f"quarter of an hour {load:.1f}; {ROUNDS} pairs each"
            + ("" if SCALE == 1 else f"; {SCALE:g} of the work") + ":")
    lines = "\n".join(json.dumps(result) for result in results)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}{told}\n\n{table(results)}\n\n```json\n{lines}\n```\n{END}{after}")
