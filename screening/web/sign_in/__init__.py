"""Signing in with Flask-Security, with counted attempts, sign-ins that can be ended, and roles."""
