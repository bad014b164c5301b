"""Killed processes, full disks and locked databases: what must stay true."""
