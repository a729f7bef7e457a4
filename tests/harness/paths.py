"""Where things are: the checkout, and the programs that are tested."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# BIWA_BUILD names another folder of programs, one built with a sanitizer for example.
BUILD = pathlib.Path(os.environ.get("BIWA_BUILD", ROOT / "build" / "release")).resolve()
BIWA = BUILD / "biwa"
JUKU = BUILD / "juku"
OULAD = BUILD / "oulad"


def oulad_data():
    """The folder of the OULAD's CSV files, or None."""
    for folder in (os.environ.get("BIWA_OULAD"), ROOT.parent / "shared" / "data" / "oulad"):
        if folder and (pathlib.Path(folder) / "studentAssessment.csv").exists():
            return pathlib.Path(folder)
    return None
