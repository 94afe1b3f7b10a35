"""A change of the blacklist goes by the row's own number, so that changes need not wait for each other."""

from django.db import migrations, models

from kaguan.cms.append_only import guarded, unguarded

TABLES = ("cms_blacklistchange", "cms_blacklistpush")
RENUMBER = """
UPDATE cms_blacklistpush SET {column} = COALESCE((
    SELECT MAX(change.id) FROM cms_blacklistchange AS change
    JOIN cms_institution AS place ON place.region_id = change.region_id
    JOIN cms_terminal AS terminal ON terminal.institution_id = place.code
    WHERE terminal.terminal_no = cms_blacklistpush.terminal_id AND change.sequence <= cms_blacklistpush.{column}
), 0)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0013_misuse"),
    ]

    operations = [
        unguarded(*TABLES),
        migrations.RunSQL(RENUMBER.format(column="since"), migrations.RunSQL.noop),
        migrations.RunSQL(RENUMBER.format(column="sequence"), migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="blacklistchange", name="each_blacklist_number_once"),
        # what follows counts on the way back only: no number is twice when the constraint returns
        migrations.RunSQL(migrations.RunSQL.noop, "UPDATE cms_blacklistchange SET sequence = id"),
        migrations.AlterField(model_name="blacklistchange", name="sequence", field=models.BigIntegerField(default=0)),
        migrations.RemoveField(model_name="blacklistchange", name="sequence"),
        migrations.RenameField(model_name="blacklistchange", old_name="id", new_name="sequence"),
        migrations.AlterField(
            model_name="blacklistchange",
            name="sequence",
            field=models.BigAutoField(primary_key=True, serialize=False),
        ),
        migrations.AddIndex(
            model_name="blacklistchange",
            index=models.Index(fields=["region", "sequence"], name="changes_of_a_region"),
        ),
        guarded(*TABLES),
    ]
