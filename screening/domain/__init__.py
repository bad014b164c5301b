"""The words and rules of a screening, in the standard library alone: no clock, no logger, no database, no web."""
