"""A migration runs while the old revision of its service still serves, so it may only add."""

import io
import re
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import chassis
from chassis.ids import new_id

SERVICES = Path(chassis.__file__).parents[1]
FOLDERS = sorted(SERVICES.glob("*/migrations/versions"))
TAKES_AWAY = re.compile(r"^(DROP|TRUNCATE)\b|^ALTER TABLE .*\b(DROP|RENAME|TYPE|SET NOT NULL)\b", re.MULTILINE)


def scripts(folder: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(SERVICES / "chassis" / "alembic_env"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(folder))
    return ScriptDirectory.from_config(config)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parents[1].name)
def test_migrations_take_nothing_away(folder: Path) -> None:
    for revision in scripts(folder).walk_revisions():
        said = io.StringIO()
        context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": said})
        with Operations.context(context):
            revision.module.upgrade()
        assert not TAKES_AWAY.search(said.getvalue()), revision.path


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parents[1].name)
def test_migrations_stand_in_one_line(folder: Path) -> None:
    assert len(scripts(folder).get_heads()) == 1


def test_ids_rise_in_the_order_in_which_they_are_made() -> None:
    made = [new_id() for _ in range(1000)]
    assert made == sorted(set(made))
