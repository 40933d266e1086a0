"""The write path: messages (`send`), their changes (`change`) and receipts (`receipts`, `device_positions`)."""
