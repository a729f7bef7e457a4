"""Models: how fast they are compiled, and what running them costs above their SQL."""
import json
import os
import shutil
import subprocess
import tempfile
import time

import models_project
from servers import BUILD, ROUNDS, command, say, scaled


class Dataform:
    """Dataform's own compiler, from npm; none where npm brings none."""

    CORE, CLI = "3.0.62", "3.0.60"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="biwa-bench-")
        npm = ("npm", "install", "--prefix", self.folder, "--no-audit", "--no-fund", "--silent",
               f"@dataform/core@{self.CORE}", f"@dataform/cli@{self.CLI}")
        self.is_here = subprocess.run(npm, check=False, stdout=subprocess.DEVNULL).returncode == 0

    def project(self, count):
        folder = os.path.join(self.folder, f"models{count}")
        models_project.write(folder, count)
        return folder

    def compile_s(self, folder):
        """Seconds of `dataform compile`. It reads packages inside of the project only."""
        core = os.path.join(folder, "node_modules", "@dataform", "core")
        if not os.path.exists(core):
            shutil.copytree(os.path.join(self.folder, "node_modules", "@dataform", "core"), core)
            with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as file:
                json.dump({"dependencies": {"@dataform/core": self.CORE}}, file)
        begin = time.monotonic()
        command(os.path.join(self.folder, "node_modules", ".bin", "dataform"), "compile", folder,
                "--json", "--timeout", "10m")
        return time.monotonic() - begin

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def compile_models(dataform):
    sizes = [scaled(count, 10) for count in (10, 100, 1000, 3000, 10000)]
    results = {}
    for count in sizes:
        folder = dataform.project(count)
        rounds_of_ours = []
        for _ in range(ROUNDS):
            begin = time.monotonic()
            result = json.loads(command(os.path.join(BUILD, "compile_bench"), folder))
            # The changes after the first compilation are not part of the cold one.
            result["cold_s"] = result["load_s"] + result["compile_s"]
            result["process_s"] = time.monotonic() - begin
            rounds_of_ours.append(result)
        ours = sorted(rounds_of_ours, key=lambda result: result["cold_s"])[ROUNDS // 2]
        theirs = dataform.compile_s(folder) if dataform.is_here and count <= 1000 else None
        results[count] = (ours, theirs)
        say(f"  {count:>6,} models: cold {ours['cold_s'] * 1000:7.1f} ms, once more after a change "
            f"{ours['warm_s'] * 1000:7.1f} ms, {ours['rss_mb']:6.1f} MB; dataform "
            + (f"{theirs:6.2f} s" if theirs else "not measured"))
    ours, theirs = results[sizes[2]]
    return {"name": "compile", "models": sizes[2], "cold_s": round(ours["cold_s"], 4),
            "warm_s": round(ours["warm_s"], 4), "rss_mb": ours["rss_mb"],
            "cold_s_largest": round(results[sizes[-1]][0]["cold_s"], 4),
            "limit": f"dataform compile, @dataform/core {Dataform.CORE}",
            "limit_cold_s": round(theirs, 3) if theirs else None,
            "ratio": round(theirs / ours["cold_s"], 1) if theirs else 0, "goal": 40}


def run_models(folder, kind, count):
    return json.loads(command(os.path.join(BUILD, "models_bench"), kind, folder.fresh_folder(),
                              str(count)))


def models(folder):
    count = scaled(200, 10)
    say(f"models: {count} tables of 1,000 rows, built anew")
    pairs = []
    for _ in range(2 * ROUNDS + 1):
        bare, ours = run_models(folder, "bare", count), run_models(folder, "run", count)
        pairs.append((bare["seconds"] / ours["seconds"], bare, ours))
        say(f"  bare {bare['seconds']:>8.3f} s   ours {ours['seconds']:>8.3f} s   "
            f"ratio {pairs[-1][0]:.2f}   (the first time {bare['first_seconds']:.3f} s, "
            f"{ours['first_seconds']:.3f} s)")
    pairs.sort(key=lambda pair: pair[0])
    ratio, bare, ours = pairs[len(pairs) // 2]
    return {"name": "models", "models": count, "seconds": ours["seconds"],
            "limit": "the same SQL by a client of the engine that does nothing else",
            "limit_seconds": bare["seconds"],
            "first_seconds": ours["first_seconds"], "limit_first_seconds": bare["first_seconds"],
            "overhead_percent": round((ours["seconds"] / bare["seconds"] - 1) * 100, 1),
            "rss_mb": ours["rss_mb"], "ratio": round(ratio, 3), "goal": 0.87}
