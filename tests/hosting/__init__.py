"""The configuration of docs/deploy in use: its units, its nginx, and two machines behind it."""
