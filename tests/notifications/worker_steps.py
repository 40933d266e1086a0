"""The steps of the workers, run one by one in the test itself."""

from typing import Any

from notifications.models import Delivery
from notifications.services import collect, fan_out
from notifications.services import deliver as delivering
from notifications.services.due import due_fan_outs
from realtime.database import clock


def decided() -> list[Any]:
    """Collect messages, decide about them, and return the deliveries."""
    collect.collect_messages()
    for message_id in due_fan_outs():
        list(fan_out.fan_out(message_id))
    return list(Delivery.objects.order_by("id"))


def work_on(delivery: Any) -> Any:
    """Make a delivery due, attempt it, and return its row afterwards."""
    Delivery.objects.filter(pk=delivery.pk).update(next_at=clock.now())
    delivering.deliver(delivery.pk)
    return Delivery.objects.get(pk=delivery.pk)
