"""The published figures and tables: a module each, named as `reproduce.py --list` names it."""
