"""Our compiler against @dataform/core on every project of projects/."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import compare  # noqa: E402
import corpus  # noqa: E402
from harness.paths import BIWA  # noqa: E402


class Oracle:
    def __init__(self):
        assert (corpus.HERE / "node_modules/@dataform/core").is_dir(), (
            "@dataform/core is not there: scripts/install-deps --test brings it")
        self.process = subprocess.Popen([shutil.which("node"), corpus.HERE / "oracle.cjs"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, folder, override):
        self.process.stdin.write(json.dumps({"dir": str(folder), "override": override}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture(scope="session")
def oracle():
    made = Oracle()
    yield made
    made.close()


def ours(folder, options):
    """Our graph, or None and what was said."""
    done = subprocess.run([BIWA, "--project", folder, "compile", "--json", *options],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    graph = json.loads(done.stdout) if done.stdout.startswith("{") else None
    if graph is not None and not graph.get("graphErrors", {}).get("compilationErrors"):
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1, "errors, and yet a good exit code"
    return graph, done.stderr


def found_differences(oracle, tmp_path, name):
    project = corpus.Project(name)
    project.write(tmp_path)
    # Stack traces tell the oracle where a definition stands, by paths without links.
    folder = pathlib.Path(os.path.realpath(tmp_path))
    answer = oracle.ask(folder, project.override())
    for error in answer.get("graph", {}).get("graphErrors", {}).get("compilationErrors", []):
        assert "unknown: " not in compare.kind_of(error["message"], 0), error["message"]
    if "thrown" in answer:
        assert "unknown: " not in compare.kind_of(answer["thrown"], 0), answer["thrown"]
    return compare.compare(answer, *ours(folder, project.options))


@pytest.mark.parametrize("name", corpus.names())
def test_compiles_as_dataform_does(oracle, tmp_path, name):
    lines = found_differences(oracle, tmp_path, name)
    if name in corpus.waiting():
        assert lines, f"{name} is as it should be now: take it out of waiting.txt"
        pytest.xfail("waiting")
    assert not lines, "\n".join(lines)


def test_only_projects_wait():
    assert corpus.waiting() <= set(corpus.names())


def test_the_corpus_is_large():
    assert len(corpus.names()) >= 120
