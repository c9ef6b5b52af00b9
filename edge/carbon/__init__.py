"""Carbon that flows with the power, through the bus bar and through the battery. Integers."""
