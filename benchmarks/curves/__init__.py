"""The cost of a message as the load grows: messages/s and p99 against four sizes, measured and drawn.

`python -m benchmarks.curves measure [AXIS ...]` writes `benchmarks/results/curves-AXIS.json`;
`python -m benchmarks.curves draw` makes `docs/images/curve-AXIS.svg` of the existing results.

    axes     the sizes, and the load of each     measuring  one point     drawing  the plots
"""
