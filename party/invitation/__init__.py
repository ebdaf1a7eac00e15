"""What organisations hand to each other before they train together: one small file each way, with a fingerprint."""
