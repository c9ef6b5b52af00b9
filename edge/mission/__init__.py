"""What the site is for, second by second: between what is known and what is asked for."""
