"""Changes the code, one small mistake at a time, and asks whether the tests notice: `make mutation`.

A change that no test notices (a survivor) is a missing assertion, or no mistake at all; docs/testing.md says
which. `mutants` makes the changes, `targets` says in which modules and with which tests, `trial` tries one.
"""
