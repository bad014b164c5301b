"""Attacks that run by themselves: generated requests, scanners, known advisories."""
