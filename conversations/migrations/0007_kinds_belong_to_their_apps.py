from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0006_mentions_and_settings'),
    ]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(help_text='Name of an `EventKind` of some app.', max_length=32),
        ),
    ]
