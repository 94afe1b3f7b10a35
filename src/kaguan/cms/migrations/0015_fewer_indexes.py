"""What a use case writes goes into each index of its tables: those go that no question needs.

On PostgreSQL Django adds to every text key an index for LIKE, which nobody asks by here.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from kaguan.cms.append_only import guarded, unguarded

TABLES = ("cms_auditentry", "cms_blacklistchange")
FOR_LIKE = (
    "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() "
    "AND starts_with(tablename, 'cms_') AND indexname LIKE '%\\_like'"
)


def drop_indexes_for_like(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FOR_LIKE)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0014_blacklist_numbers"),
    ]

    operations = [
        migrations.AlterField(
            model_name="card",
            name="region",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="cms.region"),
        ),
        unguarded(*TABLES),
        migrations.AlterField(
            model_name="blacklistchange",
            name="region",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="cms.region"),
        ),
        # that no line is twice is what the chain proves
        migrations.AlterField(model_name="auditentry", name="hash", field=models.CharField(max_length=64)),
        guarded(*TABLES),
        migrations.RunPython(drop_indexes_for_like, migrations.RunPython.noop),
    ]
