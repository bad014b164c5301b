"""Operating an installation: backup, restore, keys, retention, proof of what is stored."""
