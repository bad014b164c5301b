"""What can be done, one verb each: one transaction, committed once."""
