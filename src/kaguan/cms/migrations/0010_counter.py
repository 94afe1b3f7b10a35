"""Cases about chips, steps with a chip that were begun, and the blacklist of cards by number."""

import django.db.models.deletion
from django.db import migrations, models

from kaguan.cms.append_only import guarded


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0009_api"),
    ]

    operations = [
        migrations.CreateModel(
            name="BlacklistPush",
            fields=[
                ("push_id", models.UUIDField(primary_key=True, serialize=False)),
                ("since", models.BigIntegerField()),
                ("sequence", models.BigIntegerField()),
                ("operator", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                (
                    "terminal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="blacklist_pushes", to="cms.terminal"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BlacklistChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField()),
                ("cause", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                (
                    "card",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="blacklist_changes", to="cms.card"
                    ),
                ),
                ("region", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.region")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("region", "sequence"), name="each_blacklist_number_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ChipCase",
            fields=[
                ("case_id", models.UUIDField(primary_key=True, serialize=False)),
                ("facet", models.CharField(max_length=30)),
                ("step", models.CharField(max_length=30)),
                ("books", models.CharField(max_length=300)),
                ("chip", models.CharField(max_length=300)),
                ("more_fen", models.BigIntegerField(default=0)),
                ("operator", models.CharField(max_length=20)),
                ("institution", models.CharField(max_length=20)),
                ("terminal_no", models.CharField(blank=True, max_length=12)),
                ("at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("sightings", models.BigIntegerField(default=1)),
                ("state", models.CharField(default="open", max_length=7)),
                ("settled_at", models.DateTimeField(null=True)),
                ("settled_by", models.CharField(blank=True, max_length=20)),
                ("why", models.CharField(blank=True, max_length=200)),
                ("approval", models.UUIDField(null=True)),
                (
                    "card",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="chip_cases", to="cms.card"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["state", "at"], name="cases_by_state")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "settled"])), name="known_case_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "facet__in",
                                [
                                    "PIN",
                                    "PIN being written",
                                    "activation record",
                                    "application",
                                    "application being locked",
                                    "chip being blocked",
                                    "load number",
                                    "purchase number",
                                    "purse",
                                ],
                            )
                        ),
                        name="known_facet",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("settled_at", None), ("state", "open")),
                            models.Q(("settled_at__isnull", False), ("state", "settled")),
                            _connector="OR",
                        ),
                        name="settled_at_some_time",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")), fields=("card", "facet"), name="one_open_case_a_facet"
                    ),
                ],
            },
        ),
        guarded("cms_blacklistchange", "cms_blacklistpush"),
    ]
