"""What Alembic runs around the revisions of any service: the connection comes from ``chassis.migrations``."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=context.config.attributes["connection"].dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
