"""Docstrings in which a thing is said once."""

import inspect

import pytest

from alocc import ALOCC, ALOCCEnsemble
from gaal import MOGAAL, SOGAAL, GAALEnsemble
from gaal_alocc.docstrings import complete


def cleaned(docstring):
    return inspect.cleandoc(docstring)


class Base:
    """All of it.

    Parameters
    ----------
    a : int
        First.

        In two paragraphs.
    b, c : float
        Both.
    d : int
        Not taken by the other.

    Attributes
    ----------
    x_ : int
        Learned.

    Notes
    -----
    Its own.
    """

    __module__ = "gaal_alocc.example"  # what other libraries say of theirs is left out

    def __init__(self, a, b, c, d): ...

    def fit(self, X, how):
        """Fit.

        Parameters
        ----------
        X : array
            Data.
        how : str
            In what way.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For a wrong how.
        OSError
            For a full disk.
        """

    def left(self):
        """Left alone."""


class Other(Base):
    """Another.

    Parameters
    ----------
    a : str
        Another first.
    e : int
        Last.

    Examples
    --------
    >>> 1
    1
    """

    def __init__(self, a, b, c, e): ...

    def fit(self, X, how):
        """Fit otherwise.

        Parameters
        ----------
        X : list
            Other data.

        Raises
        ------
        ValueError
            For wrong data.
        """

    def bare(self): ...


def test_a_class_says_what_it_leaves_out_as_its_base_does():
    complete(Other)
    assert Other.__doc__ == cleaned(
        """Another.

        Parameters
        ----------
        a : str
            Another first.
        e : int
            Last.
        b, c : float
            Both.

        Attributes
        ----------
        x_ : int
            Learned.

        Examples
        --------
        >>> 1
        1
        """
    )
    assert Other.fit.__doc__ == cleaned(
        """Fit otherwise.

        Parameters
        ----------
        X : list
            Other data.
        how : str
            In what way.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For wrong data.
            For a wrong how.
        OSError
            For a full disk.
        """
    )
    assert Other.left.__doc__ == "Left alone."
    assert Other.bare.__doc__ is None
    assert "Both." in Base.__doc__
    assert "e : int" not in Base.__doc__


@pytest.mark.parametrize("detector", [SOGAAL, MOGAAL, GAALEnsemble, ALOCC, ALOCCEnsemble])
def test_help_tells_every_parameter_of_a_detector_and_of_its_fit(detector):
    for thing in (detector, detector.fit):
        names = [name for name in inspect.signature(thing).parameters if name != "self"]
        section = inspect.getdoc(thing).split("Parameters\n-----")[1].split("\n\n")[0]
        heads = [line.split(" : ")[0] for line in section.splitlines()[1:] if line[0] != " "]
        assert sorted(name for head in heads for name in head.split(", ")) == sorted(names)
