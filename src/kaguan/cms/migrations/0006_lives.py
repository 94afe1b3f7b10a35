"""Card requests, temporary cards, departures and reminders; where a card lies and who keeps it; more of production."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cms", "0005_region_versions")]

    operations = [
        migrations.CreateModel(
            name="CardRequest",
            fields=[
                ("card_request_id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("01", "NEW"), ("05", "REPLACEMENT"), ("06", "EXCHANGE"), ("07", "RENEWAL")],
                        max_length=2,
                    ),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("person", "PERSON"),
                            ("proxy", "PROXY"),
                            ("unit", "UNIT"),
                            ("bank", "BANK"),
                            ("online", "ONLINE"),
                        ],
                        max_length=6,
                    ),
                ),
                ("stage", models.CharField(default="01", max_length=2)),
                ("reason", models.CharField(blank=True, max_length=4)),
                ("failure", models.CharField(blank=True, max_length=4)),
                ("bank_code", models.CharField(max_length=15)),
                ("unit_no", models.CharField(blank=True, max_length=20)),
                ("agent_name", models.CharField(blank=True, max_length=100)),
                ("agent_cert_type", models.CharField(blank=True, max_length=2)),
                ("agent_cert_no", models.CharField(blank=True, max_length=30)),
                ("agent_relation", models.CharField(blank=True, max_length=1)),
                ("applied_by", models.CharField(max_length=20)),
                ("institution", models.CharField(max_length=20)),
                ("applied_at", models.DateTimeField()),
                ("stage_since", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Departure",
            fields=[
                ("departure_id", models.UUIDField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=11)),
                ("happened_on", models.DateField()),
                ("evidence", models.CharField(max_length=200)),
                ("registered_by", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("revoked_by", models.CharField(blank=True, max_length=20)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=30)),
                ("due_on", models.DateField()),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="TemporaryCard",
            fields=[
                ("temporary_card_no", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("state", models.CharField(default="1", max_length=1)),
                ("issued_on", models.DateField()),
                ("valid_until", models.DateField()),
                ("issued_by", models.CharField(max_length=20)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="card",
            name="known_production",
        ),
        migrations.AddField(
            model_name="stockitem",
            name="cabinet",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="stockitem",
            name="keeper",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="stockitem",
            name="offered_to",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="stockitem",
            name="position",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddIndex(
            model_name="card",
            index=models.Index(fields=["region", "application", "card_no"], name="cards_by_application"),
        ),
        migrations.AddIndex(
            model_name="card",
            index=models.Index(fields=["region", "application", "valid_until", "card_no"], name="cards_by_end"),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "production__in",
                        [
                            "00",
                            "10",
                            "12",
                            "20",
                            "21",
                            "22",
                            "23",
                            "30",
                            "31",
                            "32",
                            "33",
                            "34",
                            "52",
                            "60",
                            "62",
                            "70",
                            "80",
                            "90",
                        ],
                    )
                ),
                name="known_production",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockitem",
            constraint=models.UniqueConstraint(
                condition=models.Q(("handed_over_at", None), models.Q(("position", ""), _negated=True)),
                fields=("institution", "cabinet", "position"),
                name="one_card_a_position",
            ),
        ),
        migrations.AddField(
            model_name="cardrequest",
            name="card",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="card_request", to="cms.card"
            ),
        ),
        migrations.AddField(
            model_name="cardrequest",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="card_requests", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="cardrequest",
            name="outlet",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to="cms.institution"),
        ),
        migrations.AddField(
            model_name="cardrequest",
            name="region",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.region"),
        ),
        migrations.AddField(
            model_name="cardrequest",
            name="replaces",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replacement_requests",
                to="cms.card",
            ),
        ),
        migrations.AddField(
            model_name="departure",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="departures", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="cms.card"
            ),
        ),
        migrations.AddField(
            model_name="temporarycard",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="temporary_cards", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="temporarycard",
            name="region",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.region"),
        ),
        migrations.AddConstraint(
            model_name="cardrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("stage__in", ("01", "02", "03"))),
                fields=("holder",),
                name="one_open_request_a_holder",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("card", None), ("stage__in", ["01", "02", "03", "09"])),
                    models.Q(("card__isnull", False), ("stage", "00")),
                    _connector="OR",
                ),
                name="a_card_ends_the_request",
            ),
        ),
        migrations.AddConstraint(
            model_name="departure",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at", None)), fields=("holder",), name="one_departure_a_holder"
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(fields=("card", "kind"), name="one_reminder_a_kind"),
        ),
        migrations.AddIndex(
            model_name="temporarycard",
            index=models.Index(fields=["state", "valid_until"], name="temporary_card_ends"),
        ),
        migrations.AddConstraint(
            model_name="temporarycard",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "9"), _negated=True), fields=("holder",), name="one_temporary_card_out"
            ),
        ),
        migrations.AddConstraint(
            model_name="temporarycard",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["1", "4", "9"])), name="known_temporary_state"
            ),
        ),
    ]
