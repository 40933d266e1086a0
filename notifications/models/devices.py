"""The push addresses of signed-in devices."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from push_notifications.models import APNSDevice, GCMDevice, WebPushDevice

from accounts.models import DeviceSession, new_id


class PushDevice(models.Model):
    """The push address of one device session; the token itself is in the table of its provider.

    A session has one address and an address has one session, so it moves when another person signs in on the device.
    """

    class Provider(models.TextChoices):
        APNS = "apns", "APNs"
        FCM = "fcm", "FCM"
        WEB_PUSH = "web_push", "Web Push"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="push_devices")
    session = models.OneToOneField(DeviceSession, on_delete=models.CASCADE, related_name="push_device")
    provider = models.CharField(max_length=16, choices=Provider.choices)
    apns = models.OneToOneField(APNSDevice, null=True, blank=True, on_delete=models.CASCADE, related_name="address")
    fcm = models.OneToOneField(GCMDevice, null=True, blank=True, on_delete=models.CASCADE, related_name="address")
    web_push = models.OneToOneField(
        WebPushDevice, null=True, blank=True, on_delete=models.CASCADE, related_name="address"
    )
    sandbox = models.BooleanField(default=False, help_text="APNs: an app built for development.")
    badge = models.IntegerField(default=0, help_text="The number of unread messages that was last pushed to it.")
    created_at = models.DateTimeField()
    registered_at = models.DateTimeField(help_text="When the app last registered this token.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                name="one_token_of_its_provider",
                condition=Q(provider="apns", apns__isnull=False, fcm=None, web_push=None)
                | Q(provider="fcm", apns=None, fcm__isnull=False, web_push=None)
                | Q(provider="web_push", apns=None, fcm=None, web_push__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_provider_display()} of {self.user_id}"
