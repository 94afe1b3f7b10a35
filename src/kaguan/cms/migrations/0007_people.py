"""People: facts, guardians, photos, approvals, sign-in, activations; a document is one person in each region."""

import django.db.models.deletion
from django.db import migrations, models

from kaguan.cms.append_only import guarded


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0006_lives"),
    ]

    operations = [
        migrations.CreateModel(
            name="Activation",
            fields=[
                ("activation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("way", models.CharField(max_length=30)),
                ("phase", models.CharField(max_length=9)),
                ("evidence", models.JSONField(default=dict)),
                ("chip_slot", models.BigIntegerField(default=0)),
                ("chip_before", models.CharField(blank=True, max_length=200)),
                ("chip_after", models.CharField(blank=True, max_length=200)),
                ("chip_written_at", models.DateTimeField(null=True)),
                ("operator", models.CharField(max_length=20)),
                ("institution", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("why", models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("approval_id", models.UUIDField(primary_key=True, serialize=False)),
                ("action", models.CharField(max_length=40)),
                ("content", models.JSONField()),
                ("concerns", models.JSONField()),
                ("reason", models.CharField(max_length=200)),
                ("asked_by", models.CharField(max_length=20)),
                ("institution", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                (
                    "operator",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="credential",
                        serialize=False,
                        to="cms.operator",
                    ),
                ),
                ("password", models.CharField(max_length=160)),
                ("changed_at", models.DateTimeField()),
                ("must_change", models.BooleanField(default=True)),
                ("failures", models.BigIntegerField(default=0)),
                ("locked_until", models.DateTimeField(null=True)),
                ("second_factor", models.CharField(blank=True, max_length=200)),
                ("second_factor_step", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="DayClose",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("closed_at", models.DateTimeField()),
                ("closed_by", models.CharField(max_length=20)),
                ("reopened_at", models.DateTimeField(null=True)),
                ("reopened_by", models.CharField(blank=True, max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name="DocumentCopy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("document", models.CharField(max_length=40)),
                ("digest", models.CharField(max_length=64)),
                ("sealed", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="FormerPassword",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=160)),
            ],
        ),
        migrations.CreateModel(
            name="Guardian",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("relation", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=100)),
                ("cert_type", models.CharField(max_length=2)),
                ("cert_no", models.CharField(max_length=30)),
                ("since", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="HolderChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("fact", models.CharField(max_length=20)),
                ("before", models.CharField(blank=True, max_length=200)),
                ("after", models.CharField(blank=True, max_length=200)),
                ("operator", models.CharField(max_length=20)),
                ("request_id", models.UUIDField()),
                ("approval", models.UUIDField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="HolderCredential",
            fields=[
                (
                    "holder",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="credential",
                        serialize=False,
                        to="cms.holder",
                    ),
                ),
                ("password", models.CharField(blank=True, max_length=160)),
                ("failures", models.BigIntegerField(default=0)),
                ("locked_until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="HolderDetails",
            fields=[
                (
                    "holder",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="details",
                        serialize=False,
                        to="cms.holder",
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="HolderPhoto",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64)),
                ("image", models.BinaryField()),
                ("at", models.DateTimeField()),
                ("operator", models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name="Merge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("request_id", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="OldCardSeen",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("old_card_no", models.CharField(max_length=20)),
                ("terminal_no", models.CharField(max_length=12)),
                ("at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("source", models.CharField(max_length=64)),
                ("begun_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("why_ended", models.CharField(blank=True, max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name="SourceFailures",
            fields=[
                ("source", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("failures", models.BigIntegerField(default=0)),
                ("locked_until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Verifier",
            fields=[
                ("code", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("checks", models.JSONField(default=list)),
                ("public_key", models.CharField(max_length=64)),
                ("least_score", models.BigIntegerField()),
                ("active", models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            name="VerifierVerdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("verdict_id", models.CharField(max_length=40)),
                ("check_kind", models.CharField(max_length=20)),
                ("score", models.BigIntegerField()),
                ("measured_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="holder",
            name="one_holder_a_document",
        ),
        migrations.AddField(
            model_name="operator",
            name="level",
            field=models.CharField(default="0", max_length=1),
        ),
        migrations.AlterField(
            model_name="institution",
            name="kind",
            field=models.CharField(
                choices=[
                    ("authority", "authority"),
                    ("bank", "bank"),
                    ("outlet", "outlet"),
                    ("bureau", "bureau"),
                    ("centre", "centre"),
                    ("clinic", "clinic"),
                    ("hospital", "hospital"),
                    ("pharmacy", "pharmacy"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.UniqueConstraint(fields=("region", "cert_type", "cert_no"), name="one_holder_a_document"),
        ),
        migrations.AddField(
            model_name="activation",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="activations", to="cms.card"
            ),
        ),
        migrations.CreateModel(
            name="ApprovalDecision",
            fields=[
                (
                    "approval",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="decision",
                        serialize=False,
                        to="cms.approval",
                    ),
                ),
                ("approved", models.BooleanField()),
                ("decided_by", models.CharField(max_length=20)),
                ("institution", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("why", models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.AddField(
            model_name="approval",
            name="region",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.region"),
        ),
        migrations.AddField(
            model_name="dayclose",
            name="institution",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.institution"),
        ),
        migrations.AddField(
            model_name="documentcopy",
            name="activation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="copies", to="cms.activation"
            ),
        ),
        migrations.AddField(
            model_name="formerpassword",
            name="operator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="former_passwords", to="cms.operator"
            ),
        ),
        migrations.AddField(
            model_name="guardian",
            name="ward",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="guardians", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="holderchange",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="holderphoto",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="photos", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="merge",
            name="merged",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="merge", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="merge",
            name="survivor",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="merged_in", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="oldcardseen",
            name="holder",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.holder"),
        ),
        migrations.AddField(
            model_name="oldcardseen",
            name="institution",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.institution"),
        ),
        migrations.AddField(
            model_name="session",
            name="holder",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="cms.holder"
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="operator",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="cms.operator"
            ),
        ),
        migrations.AddField(
            model_name="verifier",
            name="region",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.region"),
        ),
        migrations.AddField(
            model_name="verifierverdict",
            name="activation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="verdicts", to="cms.activation"
            ),
        ),
        migrations.AddField(
            model_name="verifierverdict",
            name="verifier",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="cms.verifier"),
        ),
        migrations.AddConstraint(
            model_name="activation",
            constraint=models.CheckConstraint(
                condition=models.Q(("phase__in", ["open", "done", "cancelled"])), name="known_phase"
            ),
        ),
        migrations.AddConstraint(
            model_name="activation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("phase", "open")), fields=("card",), name="one_open_activation"
            ),
        ),
        migrations.AddConstraint(
            model_name="dayclose",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reopened_at", None)), fields=("institution", "day"), name="closed_once_a_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardian",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("ward", "cert_type", "cert_no"),
                name="one_guardianship_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="merge",
            constraint=models.CheckConstraint(
                condition=models.Q(("merged", models.F("survivor")), _negated=True), name="merged_into_another"
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("holder__isnull", False), ("operator", None)),
                    models.Q(("holder", None), ("operator__isnull", False)),
                    _connector="OR",
                ),
                name="session_of_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)), fields=("operator",), name="one_session_an_operator"
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)), fields=("holder",), name="one_session_a_holder"
            ),
        ),
        migrations.AddConstraint(
            model_name="verifierverdict",
            constraint=models.UniqueConstraint(fields=("verifier", "verdict_id"), name="a_verdict_serves_once"),
        ),
        guarded("cms_approvaldecision", "cms_merge", "cms_verifierverdict"),
    ]
