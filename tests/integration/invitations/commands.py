"""What the command of invitations is given: see test_damaged.py."""

WORDS = {"invite": ("--name", "A Patient", "--birth-date", "1988-03-12")}
