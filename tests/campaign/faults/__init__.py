"""The faults, one file per family. Each is an act: it strikes, shows that it struck, and measures the recovery.

Acts strike one after the other; small faults (`drizzle`) strike all the time. Not here: faults
of push (worker, beat, providers), which `tests/pushing` has.
"""
