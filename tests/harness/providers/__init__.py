"""Doubles of Apple's, Google's and the browsers' push services and of a mail server: processes of their own.

Each speaks the provider's real protocol on loopback, checks what the provider checks, keeps what it received on disk,
and fails on demand. They are written from the providers' documentation and the RFCs, and share no code with the
product.

In the test's process: `Apns`, `Fcm`, `WebPush`, `Smtp` start, stop and ask them; `screen.visible` says what devices
show. In the double's process (`python -m tests.harness.providers`): `server` listens, `http1` and `http2` speak,
`exchange` records and fails, and the modules named `*_service` know what a provider accepts.
"""
