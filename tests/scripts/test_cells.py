"""Finished cells of a table are read as they were written, and only beside cells of their kind."""

import numpy as np
import pandas as pd
import pytest
from common import cells


def test_numbers_are_read_to_the_last_digit(tmp_path):
    table = pd.DataFrame({"error": "", "auc": np.random.default_rng(0).random(1000)})
    table.to_csv(tmp_path / "cells.csv", index=False)
    pd.testing.assert_frame_equal(cells.read(tmp_path / "cells.csv"), table, check_exact=True)


def test_a_table_without_what_tells_its_cells_apart_is_refused(tmp_path):
    path = tmp_path / "cells.csv"
    pd.DataFrame({"seed": [1], "auc": [0.5]}).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"cells\.csv has no column set: .* another --output"):
        cells.collect(path, ["set", "seed"], [{"set": "a", "seed": 1}], iter, print)
