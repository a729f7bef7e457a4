"""The projects of tests/oracle/projects: read from their files, written out as folders."""
import pathlib
import shlex

HERE = pathlib.Path(__file__).parent
PROJECTS = HERE / "projects"
WAITING = HERE / "waiting.txt"

BIWA_YAML = "name: oracle\n"
SETTINGS = """\
defaultProject: proj
defaultDataset: mart
defaultLocation: US
defaultAssertionDataset: checks
vars:
  country: JP
"""


def names():
    return sorted(str(file.relative_to(PROJECTS).with_suffix(""))
                  for file in PROJECTS.rglob("*.project"))


def waiting():
    """Names of projects that are known to differ."""
    lines = (line.split("#")[0].strip() for line in WAITING.read_text().splitlines())
    return {line for line in lines if line}


class Project:
    def __init__(self, name):
        text = (PROJECTS / f"{name}.project").read_text(encoding="utf-8")
        head, *parts = text.split("\n=== ")
        assert head.startswith("# "), f"{name}: the first line says what the project shows"
        self.name = name
        self.files = {}
        self.options = []
        for part in parts:
            path, _, content = part.partition("\n")
            if path.endswith(" (CRLF)"):
                path, content = path.removesuffix(" (CRLF)"), content.replace("\n", "\r\n")
            if path == "options":
                self.options = shlex.split(content)
            else:
                self.files[path] = content + "\n"
        if not {"workflow_settings.yaml", "dataform.json"} & set(self.files):
            self.files["workflow_settings.yaml"] = SETTINGS
        self.files["biwa.yaml"] = BIWA_YAML

    def write(self, folder):
        for path, content in self.files.items():
            # "-": the project is to have no such file.
            if content.strip() == "-":
                continue
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="")

    def override(self):
        """The options as the oracle takes them."""
        override = {}
        names = {"--schema-suffix": "schemaSuffix", "--table-prefix": "tablePrefix"}
        for option, value in zip(self.options[::2], self.options[1::2]):
            if option == "--vars":
                pairs = (pair.split("=", 1) for pair in value.split(","))
                override.setdefault("vars", {}).update(pairs)
            else:
                override[names[option]] = value
        return override
