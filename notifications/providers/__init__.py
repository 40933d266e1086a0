"""Senders of push notifications, one for each provider. They know no Django, no Celery and no table."""
