"""What other services, and this machine by itself, can say of somebody: one file for each."""
