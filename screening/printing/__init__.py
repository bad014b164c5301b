"""Printing: processes of their own, fonts, conformance, signatures."""
