"""`biwa run` tells of each model as soon as it is done, also when an instance that serves does the work."""
import json
import subprocess
import time

from harness.instance import Instance
from harness.paths import BIWA

SLOW = ("SELECT count(*) AS n FROM range(8000) AS a(i), range(8000) AS b(j) "
        "WHERE sin(i) * cos(j) > 2 AND (SELECT n FROM ${ref(\"quick\")}) = 1")


def serving(tmp_path):
    instance = Instance(tmp_path / "project")
    instance.write_settings()
    instance.write("definitions/quick.sqlx", 'config { type: "table" }\nSELECT 1 AS n\n')
    instance.write("definitions/slow.sqlx", 'config { type: "table", refresh: "1d" }\n' + SLOW + "\n")
    instance.write("definitions/bad.sqlx", 'config { type: "table" }\nSELECT 1 AS n FROM ${ref("slow")} WHERE n = \'x\'\n')
    return instance


def test_models_are_told_while_the_instance_runs_them(tmp_path):
    instance = serving(tmp_path)
    instance.write("definitions/bad.sqlx", 'config { type: "table", disabled: true }\nSELECT 1 AS n\n')
    with instance:
        instance.start()
        process = subprocess.Popen([BIWA, "run"], cwd=instance.folder, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, text=True)
        told = []
        for line in process.stderr:
            told.append((line.strip(), time.monotonic()))
        assert process.wait() == 0, told
        quick = next(at for line, at in told if line.startswith("ok") and "mart.quick" in line)
        slow = next(at for line, at in told if line.startswith("ok") and "mart.slow" in line)
        assert slow - quick > 0.2, told
        assert told[-1][0].startswith("2 ok in ")
        # The answer of --json is the same as ever.
        done = instance.command("run", "--json", "--select", "quick")
        assert [model["name"] for model in json.loads(done.stdout)["models"]] == ["mart.quick"]
        done = instance.command("run", "--select", "nothing")
        assert done.returncode == 1 and 'no model is selected by "nothing"' in done.stderr
        done = instance.command("run", "--dry-run")
        assert done.returncode == 0 and "planned" in done.stderr and "2 planned" in done.stderr


def test_what_fails_there_fails_here(tmp_path):
    instance = serving(tmp_path)
    with instance:
        instance.start()
        done = instance.command("run")
        assert done.returncode == 1
        assert "1 failed" in done.stderr and "mart.bad" in done.stderr, done.stderr
