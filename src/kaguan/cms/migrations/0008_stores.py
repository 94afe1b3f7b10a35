"""Indexes for what is asked all day among millions of rows."""

from __future__ import annotations

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_INDEX = "transfer_by_card"


def add_index(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave transfers found by the card in their memo; SQLite would not use such an index for a bound path."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"CREATE INDEX {_INDEX} ON cms_transfer ((content #> '{{memo,card_no}}'))", None)


def drop_index(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave transfers without it."""
    schema_editor.execute(f"DROP INDEX IF EXISTS {_INDEX}", None)


class Migration(migrations.Migration):
    dependencies = [("cms", "0007_people")]
    operations = [
        migrations.AddIndex("holder", models.Index(fields=["cert_no"], name="holder_by_cert_no")),
        migrations.RunPython(add_index, drop_index),
    ]
