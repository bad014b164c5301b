"""Bringing summaries to where prescribers work: each channel is a file with its options and one function, `deliver`."""
