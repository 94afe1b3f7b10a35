"""Reconciliations, append-only like all that proves something; and no two cards with one ATR."""

import django.db.models.deletion
from django.db import migrations, models

from kaguan.cms.append_only import guarded


class Migration(migrations.Migration):
    dependencies = [("cms", "0003_terminal")]

    operations = [
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("reconciliation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("outcome", models.CharField(max_length=7)),
                ("reason", models.CharField(max_length=200)),
                ("evidence", models.CharField(max_length=1000)),
                ("asked_by", models.CharField(max_length=20)),
                ("institution", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                (
                    "transfer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reconciliations", to="cms.transfer"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["settled", "void"])), name="known_outcome"
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.UniqueConstraint(
                condition=models.Q(("atr", ""), _negated=True), fields=("atr",), name="one_card_an_atr"
            ),
        ),
        guarded("cms_reconciliation"),
    ]
