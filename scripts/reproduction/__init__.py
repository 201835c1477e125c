"""The published figures and tables, each a named target that scripts/reproduce.py runs."""
