"""Begin with what is written from now on: nobody is to be notified of old messages."""

from django.db import migrations
from django.db.models import Max


def begin_now(apps, schema_editor):
    Progress = apps.get_model("notifications", "Progress")
    # By table: the model of the receipts was renamed later, and that migration may have run before this one.
    models = {model._meta.db_table: model for model in apps.get_models()}
    for name, table in (
        ("events", "conversations_event"),
        ("mail", "conversations_event"),
        ("receipts", "messaging_receiptmove"),
    ):
        newest = models[table].objects.aggregate(newest=Max("pk"))["newest"] or 0
        Progress.objects.get_or_create(name=name, defaults={"floor": newest, "candidate": newest})


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
        ("conversations", "0005_own_settings_and_blocks"),
        ("messaging", "0003_hot_tables_without_foreign_keys"),
    ]

    operations = [migrations.RunPython(begin_now, migrations.RunPython.noop)]
