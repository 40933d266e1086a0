"""What workers do, one step after the other and when the test wants it."""

from typing import Any

from notifications.models import Delivery
from notifications.services import collect, fan_out
from notifications.services import deliver as delivering
from notifications.services.due import due_fan_outs
from realtime.database import clock


def decided() -> list[Any]:
    """Collect and decide; return the deliveries."""
    collect.collect_messages()
    for message_id in due_fan_outs():
        list(fan_out.fan_out(message_id))
    return list(Delivery.objects.order_by("id"))


def work_on(delivery: Any) -> Any:
    """Let a delivery be due and work on it; return what became of it."""
    Delivery.objects.filter(pk=delivery.pk).update(next_at=clock.now())
    delivering.deliver(delivery.pk)
    return Delivery.objects.get(pk=delivery.pk)
