"""Senders of push notifications, one for each provider. They import no Django, no Celery and no table."""
