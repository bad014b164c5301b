"""What stays true when processes are killed, disks are full and databases are locked."""
