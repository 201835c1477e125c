"""Published files: from a folder named, from Keras's cache, or downloaded into it."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sklearn.utils import Bunch

from gaal import tables
from gaal_alocc.files import keras_cache


@dataclass(frozen=True)
class PublishedFile:
    """A published file of a data set.

    ``read(path, source)`` reads it, and raises ValueError where it is not the published one as
    far as can be told without ``sha256``, which is None where it is not known. ``reader`` is the
    function for other files of the kind.
    """

    data_set: str
    name: str
    url: str
    sha256: str | None
    read: Callable[[Path, str], Bunch]
    reader: str

    def folders(self, data_home: str | os.PathLike | None) -> list[Path]:
        """List where it may have been put: ``data_home``, and the folder of GAAL_DATA_HOME."""
        # An empty GAAL_DATA_HOME counts as unset: it would mean the working directory.
        named = [f for f in (data_home, os.environ.get("GAAL_DATA_HOME")) if f]
        return [Path(os.path.expanduser(folder)) / self.name for folder in named]

    def find(self, data_home: str | os.PathLike | None) -> Bunch | None:
        """Read it from where it was put, if it was."""
        path = next((path for path in self.folders(data_home) if path.is_file()), None)
        return path and self._check(path, f"the published file {path}")

    def fetch(self, data_home: str | os.PathLike | None, download: bool) -> Bunch:
        """Read it from Keras's cache, into which it is downloaded where need be.

        ``data_home`` is where :meth:`find` has looked, to say so.

        Raises
        ------
        ValueError
            If the cached file is not the published one and ``download`` is False.
        FileNotFoundError
            If it is not there and ``download`` is False.
        OSError
            If the download fails, or what arrives is not the published file.
        """
        path = keras_cache() / "gaal" / self.name
        source = f"{self.url}, cached as {path}"
        if path.is_file():
            try:
                return self._check(path, source)
            except ValueError:
                if not download:
                    raise
        elif not download:
            looked = ", ".join(str(p) for p in [*self.folders(data_home), path])
            raise FileNotFoundError(
                f"{self.data_set} is not at hand and download=False; looked for {looked}. Get it"
                f" from {self.url}."
            )
        self._download(path)
        return self._check(path, source)

    def _check(self, path: Path, source: str) -> Bunch:
        """Read a file after checking that it is the published one."""
        if self.sha256 is not None:
            with tables.open_file(path) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != self.sha256:
                raise not_published(
                    path, self.data_set, f"its SHA-256 is {found}", self.sha256, self.reader
                )
        return self.read(path, source)

    def _download(self, path: Path) -> None:
        """Replace ``path`` by a fresh download, once that has arrived and been checked."""
        import keras  # takes seconds, and only a download needs it

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # get_file removes or overwrites what is at its target when it fails: give it another.
            with tempfile.TemporaryDirectory(prefix=".download-", dir=path.parent) as folder:
                fresh = keras.utils.get_file(
                    self.name,
                    self.url,
                    cache_dir=folder,
                    cache_subdir="",
                    file_hash=self.sha256,
                    hash_algorithm="sha256",
                )
                if self.sha256 is None:
                    self.read(Path(fresh), self.url)
                os.replace(fresh, path)
        except Exception as error:  # get_file raises a bare Exception
            kept = f" {path} was left as it was." if path.exists() else ""
            raise OSError(
                f"Could not download the data set {self.data_set} from {self.url} to {path}:"
                f" {error}{kept}"
            ) from error


def not_published(path: Path, data_set: str, found: str, expected: str, reader: str) -> ValueError:
    """Say that a file is not the published one, and what to do."""
    return ValueError(
        f"{path} is not the published {data_set}: {found}, expected {expected}. Remove it to have"
        f" it downloaded, or read it by its path ({reader}, --path)."
    )
