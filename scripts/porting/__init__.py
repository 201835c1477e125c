"""The ports of GAAL beside the published programs: what they do otherwise, and how they do."""
