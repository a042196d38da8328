"""How Alembic runs a migration here: on the connection and in the transaction of whoever opens the database.

Nothing is read from a file and no logging is configured, since the gateway has settled both.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
