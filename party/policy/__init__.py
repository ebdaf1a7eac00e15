"""The owner's policy: rules, limits that are counted in the ledger, and grants that are written to it."""
