"""What a message costs as work grows: messages/s and p99 against four sizes, measured and drawn.

`python -m benchmarks.curves measure [AXIS ...]` writes `benchmarks/results/curves-AXIS.json`;
`python -m benchmarks.curves draw` makes `docs/images/curve-AXIS.svg` of what is there.

    axes     the sizes, and what load is put on each     measuring  one point     drawing  the plots
"""
