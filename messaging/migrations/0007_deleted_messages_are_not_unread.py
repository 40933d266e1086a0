from django.db import migrations


def count_as_read(apps, schema_editor):
    """Count the deleted messages that nobody has read yet as read, as deletions do from now on."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            'SELECT count(*), p.id, p.last_read_sequence FROM messaging_message AS m '
            'JOIN conversations_participant AS p ON p.conversation_id = m.conversation_id '
            'WHERE m.deleted_at IS NOT NULL AND m.sequence > p.last_read_sequence '
            'AND m.sender_id <> p.user_id AND p.left_at IS NULL GROUP BY p.id, p.last_read_sequence'
        )
        # A participant whose read position moved meanwhile needs no change.
        cursor.executemany(
            'UPDATE conversations_participant SET read_message_count = read_message_count + %s '
            'WHERE id = %s AND last_read_sequence = %s',
            cursor.fetchall(),
        )


class Migration(migrations.Migration):
    """`unread_count` leaves out deleted messages. While the release before still runs, it may count one too many."""

    dependencies = [
        ('conversations', '0007_kinds_belong_to_their_apps'),
        ('messaging', '0006_receipt_change_and_device_position'),
    ]

    operations = [migrations.RunPython(count_as_read, migrations.RunPython.noop)]
