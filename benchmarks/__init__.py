"""Speed, memory and size in comparison with alternatives: `python -m benchmarks`.

No benchmark passes or fails: each table has the values measured and the values to reach.
"""
