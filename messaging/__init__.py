"""Messages and receipts: the one write path, history, who got and read what when."""
