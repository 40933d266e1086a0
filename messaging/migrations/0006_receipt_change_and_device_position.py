from django.db import migrations, models

RENAMED = {"receiptmove": "receiptchange", "devicemark": "deviceposition"}
SHOWN = {"receipt move": "receipt change", "device mark": "device position"}


def rename_permissions(apps, _):
    """Let who may look at the records in the admin do so under the new names."""
    for permission in apps.get_model("auth", "Permission").objects.filter(content_type__app_label="messaging"):
        verb, _, model = permission.codename.partition("_")
        if model in RENAMED:
            permission.codename = f"{verb}_{RENAMED[model]}"
            for old, new in SHOWN.items():
                permission.name = permission.name.replace(old, new)
            permission.save()


class Migration(migrations.Migration):
    """Rename two models. Their tables keep their names, so that nothing is locked and the release before goes on."""

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('messaging', '0005_device_marks'),
    ]

    operations = [
        migrations.AlterModelTable(name='receiptmove', table='messaging_receiptmove'),
        migrations.RenameModel(old_name='ReceiptMove', new_name='ReceiptChange'),
        migrations.AlterModelTable(name='devicemark', table='messaging_devicemark'),
        migrations.RenameModel(old_name='DeviceMark', new_name='DevicePosition'),
        migrations.AlterField(
            model_name='receiptchange',
            name='from_sequence',
            field=models.BigIntegerField(help_text='The position before; the change covers what lies above.'),
        ),
        migrations.AlterField(
            model_name='receiptchange',
            name='session_id',
            field=models.UUIDField(help_text='The device session that reported it, if known.', null=True),
        ),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
    ]
