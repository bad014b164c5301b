"""Where screenings are kept. Functions take a Session; only services commit."""
