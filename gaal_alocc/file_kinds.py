"""What a file holds, by its first bytes: to say so where another kind was expected."""

import json
import os
import re
import zipfile
import zlib
from pathlib import Path

HEAD = 4096  # bytes to look at

# fmt: off
SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x93NUMPY", "a numpy array (.npy)", "numpy.load reads"),
    (b"PAR1", "a Parquet file", "pandas.read_parquet reads"),
    (b"ARROW1", "a Feather file", "pandas.read_feather reads"),
    (b"ORC", "an ORC file", "pandas.read_orc reads"),
    (b"MATLAB 5.0", "a MATLAB file (.mat)", "scipy.io.loadmat reads"),
    (b"MATLAB 7.3", "a MATLAB file of version 7.3 (HDF5)", "h5py.File reads"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "h5py.File reads"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls)", "pandas.read_excel reads"),
    (b"SQLite format 3", "an SQLite database", "pandas.read_sql reads"),
    (b"RDX2\n", "an R workspace", "R's load reads"),
    (b"RDX3\n", "an R workspace", "R's load reads"),
    (b"<stata_dta>", "a Stata file", "pandas.read_stata reads"),
    (b"$FL2", "an SPSS file", "pandas.read_spss reads"),
    (b"\x1f\x8b", "a gzip file", "gunzip unpacks"),
    (b"BZh", "a bzip2 file", "bunzip2 unpacks"),
    (b"\xfd7zXZ\x00", "an xz file", "unxz unpacks"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "unzstd unpacks"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x unpacks"),
    (b"Rar!", "a RAR archive", "unrar unpacks"),
    (b"%PDF", "a PDF document", ""),
    (b"\x89PNG", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"II*\x00", "a TIFF image", ""),
    (b"MM\x00*", "a TIFF image", ""),
    (b"\x7fELF", "a program", ""),
    (b"version https://git-lfs", "a pointer of Git LFS and not the file itself",
     "git lfs pull replaces by it"),
)
# fmt: on
TAR = 257  # where its signature stands
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
ARCHIVES = (
    ("[Content_Types].xml", "an Excel workbook (.xlsx)", "pandas.read_excel reads"),
    ("content.xml", "an OpenDocument file", "pandas.read_excel reads"),
    ("detector.json", "a saved detector", ""),
    ("data.pkl", "a PyTorch file", "torch.load reads"),
)
# What text begins with, of files that are no tables of values between commas.
# fmt: off
TEXTS = (
    (rb"(%.*\s+|\s+)*@relation\b", "an ARFF file", "scipy.io.arff.loadarff reads"),
    (rb"\s*<(!doctype html|html)", "a web page", ""),
    (rb"\s*<\?xml", "an XML file", "pandas.read_xml reads"),
    (rb"\s*[{\[]", "a JSON file", "pandas.read_json reads"),
    (rb"[-+.\deE]+( +\d+:[-+.\deE]+)+ *[\r\n]", "a file of LIBSVM",
     "sklearn.datasets.load_svmlight_file reads"),
)
# fmt: on
UTF16 = "iconv -f UTF-16 -t UTF-8 turns into UTF-8"


def looks_like(path: Path) -> tuple[str, str] | None:
    """Tell what a file is that holds no plain table of text; nothing in it is run or unpickled.

    What it looks like, with its article, and what deals with it, to be put after "which"; empty
    where nothing makes a table of it. None for text in UTF-8 of no kind known here, and for an
    empty file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    for signature, what, how in SIGNATURES:
        if head.startswith(signature):
            return what, how
    if head[TAR : TAR + 5] == b"ustar":
        return "a tar archive", "tar -xf unpacks"
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head[:2] in PICKLES:
        return "a pickle, which is not opened, as it may run any code", ""
    if head[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
        return "text in UTF-32", UTF16.replace("16", "32")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "text in UTF-16", UTF16
    if b"\x00" in head:
        # Latin letters in UTF-16 leave every other byte empty.
        for empty, order in ((head[1::2], "16LE"), (head[0::2], "16BE")):
            if empty.count(0) > 0.8 * len(empty):
                return "text in UTF-16", UTF16.replace("16", order)
        if path.suffix.lower() == ".mat":
            return "a MATLAB file (.mat)", "scipy.io.loadmat reads"
        return "a file of bytes and not of text", ""
    text = head.removeprefix(b"\xef\xbb\xbf")
    for pattern, what, how in TEXTS:
        if re.match(pattern, text, re.IGNORECASE):
            return what, how
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"byte 0x{line[error.start]:02x} in line {number}"
                how = "iconv -f LATIN1 -t UTF-8 may turn into UTF-8"
                return f"text that is not in UTF-8 ({byte})", how
    return None


def instead(path: Path) -> str:
    """Go on from "is no ...": tell what a file looks like instead; empty where nobody knows."""
    what, how = looks_like(path) or ("", "")
    return what and f"; it looks like {what}" + (f", which {how}" if how else "")


def saved_file(path: str | os.PathLike) -> Path:
    """Expand the path of a saved detector; of a folder tell which file in it may be meant."""
    path = Path(os.path.expanduser(path))
    if not path.is_dir():
        return path
    archives = (file for file in sorted(path.iterdir()) if zipfile.is_zipfile(file))
    saved = next((file for file in archives if _archive(file)[0] == "a saved detector"), None)
    raise IsADirectoryError(
        f"path is {path}, a folder; expected the file of a saved detector"
        + (f", such as {saved}." if saved else ".")
    )


def saved_settings(path: Path) -> dict | None:
    """Read the class, the format and the parameters of a saved detector; None of another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            settings = json.loads(archive.read("detector.json"))
            return settings if {"class", "format"} <= settings.keys() else None
    except (zipfile.BadZipFile, KeyError, AttributeError, ValueError, zlib.error):
        return None


def _archive(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "a zip archive that is cut off or damaged", ""
    if names and all(name.endswith(".npy") for name in names):
        return "a numpy archive (.npz)", "numpy.load reads"
    for member, what, how in ARCHIVES:
        if any(name == member or name.endswith(f"/{member}") for name in names):
            return what, how
    return "a zip archive", "unzip unpacks"
