"""Where people come to the ledger: the words of `edge ledger`, and the folder for their corrections."""
