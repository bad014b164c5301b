"""Delivery of summaries to other systems: each channel is a class with options and `deliver`."""
