"""Services: each is a verb with one transaction, which it commits once."""
