"""The command of invitations."""
