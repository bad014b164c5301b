"""Screenings in the forms in which people and other programs read them: summaries, FHIR, tables."""
