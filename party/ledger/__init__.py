"""The ledger of what a party granted and released: append-only, durable, chained by digests."""
