"""What is on the wire: a port, and one strict transaction on it. Knows no device and no schedule."""
