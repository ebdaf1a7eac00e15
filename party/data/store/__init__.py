"""Columns of files on disk, mapped into memory."""
