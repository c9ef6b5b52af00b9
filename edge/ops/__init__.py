"""How the process behaves as a process: tuned for its cycle, watched from outside."""
