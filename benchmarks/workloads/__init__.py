"""The workloads. Each module has

SIZES    W1 to W4: the number of people in each of its conversations
run()    connects, warms up, measures, checks; returns a Result
"""
