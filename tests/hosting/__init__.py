"""What docs/deploy says, done: its units, its nginx, and two machines behind it."""
