"""The write path: messages (`send`), their changes (`change`), and receipt marks (`receipts`, `device_positions`)."""
