"""Rows that prove something can be added and read, and nothing else, whichever program asks the database."""

from __future__ import annotations

from django.db import migrations

from kaguan.cms.append_only import guarded


class Migration(migrations.Migration):
    dependencies = [("cms", "0001_initial")]
    operations = [
        guarded(
            "cms_cardevent",
            "cms_transfer",
            "cms_entry",
            "cms_contribution",
            "cms_receipt",
            "cms_auditentry",
        )
    ]
