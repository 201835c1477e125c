"""Print the lowest versions that setup.cfg allows, as constraints for pip."""

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).resolve().parents[2] / "setup.cfg"
LOWER_BOUND = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?\s*>=\s*([\w.]+)$")


def lowest_versions(text: str) -> list[str]:
    """Turn every requirement with a lower bound, extras' too, into a pin to it.

    ``text`` is that of a setup.cfg; pins are such as ``"numpy==1.26"``, each once, in alphabetical
    order.
    """
    options = configparser.ConfigParser()
    options.read_string(text)
    lists = [options["options"]["install_requires"], *options["options.extras_require"].values()]
    bounds = (LOWER_BOUND.match(line) for lines in lists for line in lines.split("\n"))
    return sorted({f"{bound[1]}=={bound[2]}" for bound in bounds if bound})


if __name__ == "__main__":
    print(*lowest_versions(SETUP.read_text()), sep="\n")
