"""Tables, queries and encryption. Functions take a Session; only services commit."""
