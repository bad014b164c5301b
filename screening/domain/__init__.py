"""The terms and rules of a screening, in the standard library alone.

Nothing here reads a clock, logs, or knows a database or the web.
"""
