"""The language server as an editor has it: the real program, over pipes."""
import json
import subprocess
import threading

import pytest

from harness.paths import BIWA


class Editor:
    """Speaks the Language Server Protocol with a `biwa lsp` of its own."""

    def __init__(self, folder):
        self.process = subprocess.Popen([str(BIWA), "lsp"], cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # A server that hangs ends the test, not the test run.
        self.alarm = threading.Timer(60, self.process.kill)
        self.alarm.start()
        self.last_id = 0
        self.told = []

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self):
        length = None
        while (line := self.process.stdout.readline()) not in (b"\r\n", b""):
            name, value = line.split(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length is not None, "the server has ended: " + self.process.stderr.read().decode()
        return json.loads(self.process.stdout.read(length))

    def ask(self, method, **params):
        self.last_id += 1
        self.send(id=self.last_id, method=method, params=params)
        while True:
            message = self.receive()
            if message.get("id") == self.last_id:
                assert "error" not in message, message
                return message["result"]
            self.told.append(message)

    def note(self, method, **params):
        self.send(method=method, params=params)

    def diagnostics(self, path):
        """Waits for the next of the file."""
        while True:
            message = self.told.pop(0) if self.told else self.receive()
            params = message.get("params", {})
            if message.get("method") == "textDocument/publishDiagnostics" and params["uri"] == path.as_uri():
                return params["diagnostics"]

    def open(self, path, text):
        self.note("textDocument/didOpen",
                  textDocument={"uri": path.as_uri(), "languageId": "sqlx", "version": 1, "text": text})

    def replace(self, path, text):
        self.note("textDocument/didChange", textDocument={"uri": path.as_uri(), "version": 2},
                  contentChanges=[{"text": text}])

    def at(self, method, path, line, character, **more):
        return self.ask(method, textDocument={"uri": path.as_uri()},
                        position={"line": line, "character": character}, **more)

    def end(self):
        self.ask("shutdown")
        self.note("exit")
        code = self.process.wait()
        self.alarm.cancel()
        return code


@pytest.fixture
def project(tmp_path):
    (tmp_path / "biwa.yaml").write_text("name: juku\n")
    folder = tmp_path / "definitions" / "学習"
    folder.mkdir(parents=True)
    (folder / "daily.sqlx").write_text(
        'config {\n  type: "view",\n  description: "毎日",\n  columns: { day: "その日" }\n}\n\nSELECT 1 AS day\n')
    return tmp_path


@pytest.fixture
def editor(project):
    editor = Editor(project)
    editor.ask("initialize", processId=None, rootUri=project.as_uri(), capabilities={})
    editor.note("initialized")
    yield editor
    editor.alarm.cancel()
    editor.process.kill()
    editor.process.wait()


def test_a_file_is_mended_as_it_is_typed(project, editor):
    path = project / "definitions" / "x.sqlx"
    editor.open(path, 'config { type: "view" }\nSELECT \'生😀\' FROM ${ref("dayly")}\n')
    [problem] = editor.diagnostics(path)
    assert 'Did you mean "daily"?' in problem["message"]
    # 😀 is two code units.
    assert problem["range"] == {"start": {"line": 1, "character": 20}, "end": {"line": 1, "character": 32}}
    validated = subprocess.run([str(BIWA), "validate"], cwd=project, capture_output=True, text=True)
    assert validated.returncode == 0, "the file is not saved, and the folder is good: " + validated.stderr

    editor.replace(path, 'config { type: "view" }\nSELECT \'生😀\', FROM ${ref("')
    items = editor.at("textDocument/completion", path, 1, 26)["items"]
    assert "daily" in [item["label"] for item in items]

    editor.replace(path, 'config { type: "view" }\nSELECT day\n  FROM ${ref("daily")}\n')
    assert editor.diagnostics(path) == []
    place = editor.at("textDocument/definition", path, 2, 15)
    assert place["uri"] == (project / "definitions" / "学習" / "daily.sqlx").as_uri()
    assert "その日" in editor.at("textDocument/hover", path, 1, 8)["contents"]["value"]
    [edit] = editor.ask("textDocument/formatting", textDocument={"uri": path.as_uri()},
                        options={"tabSize": 8, "insertSpaces": False})
    assert edit["newText"] == '\nSELECT day\nFROM ${ref("daily")}\n'
    assert editor.end() == 0
    assert editor.process.stderr.read() == b""


def edit(editor, path, version, *changes):
    editor.note("textDocument/didChange", textDocument={"uri": path.as_uri(), "version": version},
                contentChanges=[{"range": {"start": {"line": a, "character": b}, "end": {"line": c, "character": d}},
                                 "text": text} for (a, b), (c, d), text in changes])


def units(text):
    return len(text.encode("utf-16-le")) // 2


def test_typed_letter_by_letter_between_carriage_returns(project, editor):
    path = project / "definitions" / "x.sqlx"
    front = 'config { type: "view" }\r\n-- 生徒😀𠮷\r\n'
    editor.open(path, front)
    typed = 'SELECT \'😀\' AS 日, "𠮷" FROM ${ref("dayly")}'
    at = 0
    for version, letter in enumerate(typed, 2):
        edit(editor, path, version, ((2, at), (2, at), letter))
        at += units(letter)
    while True:
        problems = editor.diagnostics(path)
        if problems and "Did you mean" in problems[0]["message"]:
            break
    [problem] = problems
    begin = units(typed[:typed.index("ref(")])
    assert problem["range"] == {"start": {"line": 2, "character": begin},
                                "end": {"line": 2, "character": begin + len('ref("dayly")')}}
    # More than one at once, each on what those before it have left; one of them across the line ends.
    edit(editor, path, 99, ((2, at), (2, at), "\r\n-- end"), ((1, 0), (2, 0), ""),
         ((1, begin + 5), (1, begin + 10), "daily"))
    assert editor.diagnostics(path) == []
    place = editor.at("textDocument/definition", path, 1, begin + 6)
    assert place["uri"] == (project / "definitions" / "学習" / "daily.sqlx").as_uri()
    assert editor.end() == 0


def test_files_and_projects_come_and_go(project, tmp_path_factory, editor):
    other = tmp_path_factory.mktemp("other") / "プロジェクト 2"
    (other / "definitions").mkdir(parents=True)
    (other / "biwa.yaml").write_text("name: other\n")
    path, theirs = project / "definitions" / "x.sqlx", other / "definitions" / "x.sqlx"
    bad = 'config { type: "view" }\nSELECT 1 FROM ${ref("only_here")}\n'
    for one in (path, theirs):
        one.write_text(bad)
        editor.open(one, bad)
    assert len(editor.diagnostics(path)) == 1
    assert len(editor.diagnostics(theirs)) == 1
    # A file that is made beside it, as git does.
    (project / "definitions" / "only_here.sqlx").write_text('config { type: "table" }\nSELECT 1 AS n\n')
    editor.note("workspace/didChangeWatchedFiles", changes=[])
    assert editor.diagnostics(path) == []
    (project / "definitions" / "only_here.sqlx").unlink()
    editor.note("workspace/didChangeWatchedFiles", changes=[])
    assert len(editor.diagnostics(path)) == 1
    # Closed and deleted: nothing is wrong with what is not there.
    path.unlink()
    editor.note("textDocument/didClose", textDocument={"uri": path.as_uri()})
    assert editor.diagnostics(path) == []
    # The folder of the other project has another name.
    moved = other.parent / "moved"
    editor.note("textDocument/didClose", textDocument={"uri": theirs.as_uri()})
    other.rename(moved)
    editor.open(moved / "definitions" / "x.sqlx", bad)
    editor.note("workspace/didChangeWatchedFiles", changes=[])
    assert len(editor.diagnostics(moved / "definitions" / "x.sqlx")) == 1
    editor.note("textDocument/didClose", textDocument={"uri": (moved / "definitions" / "x.sqlx").as_uri()})
    (moved / "biwa.yaml").rename(moved / "biwa.yml")
    editor.note("workspace/didChangeWatchedFiles", changes=[])
    assert editor.diagnostics(moved / "definitions" / "x.sqlx") == []
    assert editor.end() == 0
    assert editor.process.stderr.read() == b""


def test_what_is_asked_of_a_broken_project_is_answered(project, editor):
    (project / "biwa.yaml").write_text("name: [\n")
    path = project / "definitions" / "x.sqlx"
    editor.open(path, 'config { type: "view" }\nSELECT day FROM ${ref("daily")}\n')
    assert len(editor.diagnostics(project / "biwa.yaml")) == 1
    place = editor.at("textDocument/definition", path, 1, 24)
    assert place["uri"] == (project / "definitions" / "学習" / "daily.sqlx").as_uri()
    labels = [item["label"] for item in editor.at("textDocument/completion", path, 1, 9)["items"]]
    assert labels == ["day"]
    # In the editor it is mended, and not saved.
    editor.open(project / "biwa.yaml", "name: juku\n")
    assert editor.diagnostics(project / "biwa.yaml") == []
    editor.replace(path, 'config { type: "view" }\nSELECT day FROM ${ref("dayly")}\n')
    assert len(editor.diagnostics(path)) == 1
    assert editor.end() == 0


def test_a_large_file_a_cancelled_question_and_what_is_no_question(project, editor):
    path = project / "definitions" / "large.sqlx"
    editor.open(path, 'config { type: "view" }\nSELECT 1 AS n' + ",\n  '生徒😀' AS n" * 100_000)
    editor.note("$/cancelRequest", id=1)
    editor.send(id=77, method="textDocument/hover",
                params={"textDocument": {"uri": path.as_uri()}, "position": {"line": 90_000, "character": 10 ** 9}})
    editor.note("$/cancelRequest", id=77)
    editor.send(id="text", method="textDocument/hover", params=[1])
    editor.send(method="textDocument/didChange", params={"textDocument": {"uri": path.as_uri(), "version": 3},
                                                         "contentChanges": [{"range": None, "text": "SELECT 1\n"}]})
    answers = {}
    while len(answers) < 2:
        message = editor.receive()
        if "id" in message:
            answers[message["id"]] = message
    assert "result" in answers[77] or answers[77]["error"]["code"] == -32800
    assert answers["text"]["error"]["code"] == -32602
    assert editor.ask("textDocument/formatting", textDocument={"uri": path.as_uri()},
                      options={"tabSize": 2, "insertSpaces": True}) == []
    assert editor.end() == 0


def test_what_is_no_message_ends_the_server_with_a_reason():
    done = subprocess.run([str(BIWA), "lsp"], input=b"hello\r\n\r\n", capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"Content-Length" in done.stderr and done.stdout == b""


def test_a_vanished_editor_ends_the_server():
    done = subprocess.run([str(BIWA), "lsp"], input=b"", capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_format_writes_checks_and_reads_stdin(project):
    def biwa(*arguments, **more):
        return subprocess.run([str(BIWA), *arguments], cwd=project, capture_output=True, text=True, **more)

    path = project / "definitions" / "x.sqlx"
    messy, tidy = "select 1,\n2   \n\n\n from x", "select 1,\n  2\n\nfrom x\n"
    path.write_text(messy)
    path.chmod(0o640)
    checked = biwa("format", "--check")
    assert (checked.returncode, checked.stdout) == (1, "definitions/x.sqlx\n")
    assert path.read_text() == messy
    assert biwa("format").returncode == 0
    assert path.read_text() == tidy
    assert path.stat().st_mode & 0o777 == 0o640
    assert biwa("format", "--check", "definitions").returncode == 0
    assert biwa("format", "-", input=messy).stdout == tidy

    path.write_text("select '")
    broken = biwa("--json", "format", "definitions/x.sqlx")
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["problems"] == ["definitions/x.sqlx:1:8: this string is never closed by '"]
    assert path.read_text() == "select '"
    assert biwa("format", "biwa.yaml").returncode == 1
