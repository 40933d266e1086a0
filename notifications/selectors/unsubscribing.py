"""The token in a mail by which its reader unsubscribes without signing in; it is good for nothing else."""

from uuid import UUID

from django.core.signing import BadSignature, Signer

_signer = Signer(salt="notifications.unsubscribe")


def unsubscribe_token(user_id: UUID) -> str:
    """Return the token of a person. It does not run out: old mail must unsubscribe, too."""
    return _signer.sign(str(user_id))


def user_of_token(token: str) -> UUID | None:
    """Return whose token this is; None when it is none."""
    try:
        return UUID(_signer.unsign(token))
    except (BadSignature, ValueError):
        return None
