"""What regions decide becomes versions, append-only; what they had decided so far holds since ever."""

from datetime import date

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

from kaguan.cms.append_only import guarded

SINCE_EVER = date(1999, 1, 1)
# Until now the way of the employer's premium was the same for all regions, and no setting.
PREMIUM = ((SINCE_EVER, 3_000), (date(2021, 1, 1), 0))


def keep_settings(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave every region's settings as its first version, and the premium's way as the country's."""
    region, version = apps.get_model("cms", "Region"), apps.get_model("cms", "RegionVersion")
    now = timezone.now()
    for place in region.objects.all():
        version.objects.create(
            region_code=place.code, valid_from=SINCE_EVER, settings=place.settings, added_by="migration", added_at=now
        )
    for valid_from, rate in PREMIUM if region.objects.exists() else ():
        version.objects.create(
            region_code="000000",
            valid_from=valid_from,
            settings={"name": "the country", "employer_to_account_rate": rate},
            added_by="migration",
            added_at=now,
        )


class Migration(migrations.Migration):
    dependencies = [("cms", "0004_reconciliation")]

    operations = [
        migrations.CreateModel(
            name="RegionVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("region_code", models.CharField(max_length=6)),
                ("valid_from", models.DateField()),
                ("settings", models.JSONField()),
                ("confidence", models.JSONField(default=dict)),
                ("inherits", models.JSONField(default=list)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("added_by", models.CharField(max_length=20)),
                ("added_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["region_code", "valid_from"], name="version_by_region_and_day")],
            },
        ),
        migrations.RunPython(keep_settings, migrations.RunPython.noop),
        migrations.RemoveField("region", "settings"),
        guarded("cms_regionversion"),
    ]
