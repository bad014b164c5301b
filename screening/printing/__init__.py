"""Printing: renderer processes, fonts, conformance to PDF/A and PDF/UA, signatures."""
