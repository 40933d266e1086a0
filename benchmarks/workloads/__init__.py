"""The workloads W1 to W4. Each module has

SIZES    how many people each of its conversations has
run()    connects, warms up, measures, checks; returns a Result
"""
