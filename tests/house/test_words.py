"""What the project says of itself: no machine's paths, no registry's address, no number of a person."""

import re
import subprocess
from pathlib import Path

import phonenumbers
import pytest

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a registry's host": "|".join(
        ["pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(?:org|com)", "deb" + r"\.debian\.org"]
    ),
    "one machine's path": r"(?<![\w.$}>-])/(?:" + "|".join(["work", "root", "farm", "home/[a-z]"]) + r")/",
    "a private key": "BEGIN (?:RSA |EC |OPENSSH )?" + "PRIVATE KEY",
}


def tracked(root: Path) -> list[Path]:
    """Every text file that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in listed.split("\0") if name and not name.endswith((".png", ".parquet"))]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str, root: Path) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
        for path in tracked(root)
        if path.exists()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


# What is written like a number of a person: international with its plus, or one quoted string of digits.
WITH_PLUS = re.compile(r"(?:\+|%2B)(\d(?:[ ().-]{0,2}\d){7,14})(?!\d)")
QUOTED = re.compile(r"""(?<=["'])\d{10,13}(?=["'])""")
# Reserved for fiction: +1, an area, 555 01xx. Nobody has such a number.
FICTION = re.compile(r"1?\d{3}55501\d\d")
NO_PERSON = {
    ("tests/collector/data/signature_vectors.json", "14150000001"): "vendored vectors: no exchange begins with 0",
    ("tests/collector/data/signature_vectors.json", "14150000002"): "vendored vectors: no exchange begins with 0",
    (
        "tests/collector/data/signature_vectors.json",
        "1979" + "2014278",
    ): "vendored vectors, signed: as their owner published",
    ("tests/collector/test_moments.py", "1719" + "9153041"): "a moment of one digit too many",
    ("tests/collector/test_recipient.py", "01234" + "56789"): "a run of digits: no dialling code begins with 0",
}


def numbers_in(text: str) -> list[str]:
    """Give the digits of what could be somebody's number; of quoted digits only what the numbering plans allow."""
    plussed = [re.sub(r"\D", "", found) for found in WITH_PLUS.findall(text)]
    quoted = [found for found in QUOTED.findall(text) if is_valid(found)]
    plain = ["".join(str(int(digit)) for digit in found) for found in plussed + quoted]
    return [digits for digits in plain if not FICTION.fullmatch(digits)]


def is_valid(digits: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


def test_no_file_holds_a_number_of_a_person(root: Path) -> None:
    found = {
        (path.relative_to(root).as_posix(), digits)
        for path in tracked(root)
        if path.exists()
        for digits in numbers_in(path.read_text(errors="replace"))
    }
    assert found == set(NO_PERSON)


# Made here from pieces, and no one's: an exchange that begins with 0 is never given out; the last is Ofcom's for drama.
@pytest.mark.parametrize(
    "written", ["+1415" + "0001234", "+1 (415) " + "000-1234", "%2B1415" + "0001234", "'4420" + "79460958'"]
)
def test_what_looks_like_a_number_is_caught(written: str) -> None:
    assert numbers_in(f"call {written} now") != []


@pytest.mark.parametrize(
    "written", ["+1 415 555 0123", "'14155550199'", "'1719915304123456'", "x + 12345", "'1000000000'"]
)
def test_what_is_fiction_or_no_number_is_not(written: str) -> None:
    assert numbers_in(f"a {written} b") == []
