"""One file a migration: a change of the tables, from the oldest to the newest."""
