"""Finding out who answers on a line of which nothing is known. Only reads; a line in use is left alone."""
