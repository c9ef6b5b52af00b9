"""What a technician sees: sessions on any file descriptor, one registry of words."""
