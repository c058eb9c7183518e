"""Runs index.sql on Orthanc's SQLite index, before Orthanc starts: index.py FILE. Without it Orthanc is only slower, so
that nothing keeps it from starting: there is no such file before the first start, or the index is in PostgreSQL."""

import os
import sqlite3
import sys

index = sys.argv[1]
sql = os.path.join(os.path.dirname(os.path.abspath(__file__)), "index.sql")
if os.path.exists(index):
    try:
        with open(sql, encoding="utf-8") as statements, sqlite3.connect(index, timeout=10) as database:
            database.executescript(statements.read())
    except (OSError, sqlite3.Error) as error:
        print(f"index.py: Orthanc's index stays slow: {error}", file=sys.stderr)
