"""Signing in with Flask-Security, and what it leaves to us: counted attempts, sign-ins that can be ended, roles."""
