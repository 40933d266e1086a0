"""The fields `hinted_at` are called `queued_at`. The columns keep their name, so nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_begin_now")]

    operations = [
        operation
        for model in ("Delivery", "Digest", "FanOut")
        for operation in (
            migrations.AlterField(model, "hinted_at", models.DateTimeField(db_column="hinted_at", null=True)),
            migrations.RenameField(model, "hinted_at", "queued_at"),
        )
    ]
