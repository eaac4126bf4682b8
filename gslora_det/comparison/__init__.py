"""Many methods on the same requests: their runs, tables and curves."""
