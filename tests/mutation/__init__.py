"""Mutation testing: makes one small mistake at a time in the code and runs the tests: `make mutation`.

A mutant that no test notices (a survivor) shows a missing assertion, or is no mistake; docs/testing.md lists the
latter. `mutants` makes the changes, `targets` names the modules and their tests, `trial` runs one mutant.
"""
