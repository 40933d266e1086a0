"""The workloads W1 to W4. Each module has

SIZES    the number of people in each of its conversations
run()    connects, warms up, measures, checks; returns a Result
"""
