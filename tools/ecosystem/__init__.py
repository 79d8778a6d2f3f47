"""Other projects' own test suites, plain and on hubcore: `python -m tools.ecosystem`, see `make ecosystem`."""
