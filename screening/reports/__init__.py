"""What is handed over: the summary as values, and its printed form."""
