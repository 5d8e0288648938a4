from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0002_patience_and_deaths"),
    ]

    operations = [
        migrations.RenameField(model_name="item", old_name="leads", new_name="fetch_key"),
    ]
