"""The token in a mail that lets its reader unsubscribe without signing in; it allows nothing else."""

from uuid import UUID

from django.core.signing import BadSignature, Signer

_signer = Signer(salt="notifications.unsubscribe")


def unsubscribe_token(user_id: UUID) -> str:
    """Return a person's token. It does not expire, so that the link in an old mail works, too."""
    return _signer.sign(str(user_id))


def user_of_token(token: str) -> UUID | None:
    """Return the id of the person whose token this is; None if it is not a valid token."""
    try:
        return UUID(_signer.unsign(token))
    except (BadSignature, ValueError):
        return None
