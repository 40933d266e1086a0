"""Begin with what is written from now on: nobody is to be notified of old messages."""

from django.db import migrations
from django.db.models import Max


def begin_now(apps, schema_editor):
    Progress = apps.get_model("notifications", "Progress")
    for name, app, model in (
        ("events", "conversations", "Event"),
        ("mail", "conversations", "Event"),
        ("receipts", "messaging", "ReceiptMove"),
    ):
        newest = apps.get_model(app, model).objects.aggregate(newest=Max("pk"))["newest"] or 0
        Progress.objects.get_or_create(name=name, defaults={"floor": newest, "candidate": newest})


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
        ("conversations", "0005_own_settings_and_blocks"),
        ("messaging", "0003_hot_tables_without_foreign_keys"),
    ]

    operations = [migrations.RunPython(begin_now, migrations.RunPython.noop)]
