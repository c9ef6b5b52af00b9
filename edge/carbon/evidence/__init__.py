"""From the ledger to what a verifier is handed: tables, statement, plan, diagram, and the check of all of it."""
