"""Speed, memory and size, measured side by side with the alternatives: `python -m benchmarks`.

Nothing here passes or fails by the clock: each table says what was measured and what is to be
reached.
"""
