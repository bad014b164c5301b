"""Commands for deliveries."""
