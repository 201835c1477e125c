"""Detectors on the data sets of a benchmark: who runs, how the rows are divided, what is shown."""
