"""How late the POC meter shows what the battery does, measured from the steps of the sign test."""
