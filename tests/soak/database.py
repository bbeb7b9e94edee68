# SPDX-License-Identifier: GPL-2.0-or-later
"""A bank in an SQLite database: money is moved between accounts, none comes or goes.

    database.py run FILE LIST MODE SEED     MODE: a journal mode
    database.py check FILE LIST

LIST, elsewhere, gets the number of each transaction after its commit has returned. run ends with
TERM, or when the filesystem fails. check prints transactions and pages.
"""
import os
import random
import signal
import sqlite3
import sys
import time

ACCOUNTS = 2000
MONEY = 1000
ending = False


def end(*_):
    global ending
    ending = True


def connect(path, mode=None):
    db = sqlite3.connect(path, timeout=20, isolation_level=None)
    if mode:
        db.execute('PRAGMA journal_mode=' + mode)
        db.execute('PRAGMA synchronous=FULL')
        db.execute('PRAGMA wal_autocheckpoint=50')
    return db


def make(db):
    db.execute('BEGIN IMMEDIATE')
    db.execute('CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, money INT, fill BLOB)')
    db.execute('CREATE TABLE IF NOT EXISTS last (number INT)')
    if db.execute('SELECT count(*) FROM last').fetchone()[0] == 0:
        db.execute('INSERT INTO last VALUES (0)')
        db.executemany('INSERT INTO account VALUES (?, ?, ?)',
                       ((i, MONEY, b'') for i in range(ACCOUNTS)))
    db.execute('COMMIT')


def transfer(db, rng):
    db.execute('BEGIN IMMEDIATE')
    for _ in range(rng.randrange(1, 20)):
        a, b, n = rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(100)
        fill = rng.randbytes(rng.randrange(600))
        db.execute('UPDATE account SET money = money - ?, fill = ? WHERE id = ?', (n, fill, a))
        db.execute('UPDATE account SET money = money + ? WHERE id = ?', (n, b))
    number = db.execute('UPDATE last SET number = number + 1 RETURNING number').fetchone()[0]
    db.execute('COMMIT')
    return number


def run(path, list_path, mode, seed):
    rng = random.Random(seed)
    acked = os.open(list_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        db = connect(path, mode)
        make(db)
        while not ending:
            try:
                number = transfer(db, rng)
            except sqlite3.OperationalError as e:
                if 'full' not in str(e):
                    raise
                if db.in_transaction:
                    db.execute('ROLLBACK')
                time.sleep(0.1)
                continue
            os.write(acked, b'%d\n' % number)
        db.close()
    except (sqlite3.Error, OSError) as e:
        print('ended by: %s' % e)
    return 0


def check(path, list_path):
    acked = 0
    if os.path.exists(list_path):
        with open(list_path, encoding='ascii') as f:
            for line in f:
                acked = int(line)
    if not os.path.exists(path):
        print('no database' if acked else '0 0')
        return 1 if acked else 0
    db = connect(path)
    told = db.execute('PRAGMA integrity_check').fetchall()
    if told != [('ok',)]:
        print('integrity_check: %s' % told[:20])
        return 1
    if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'last'").fetchone()[0] == 0:
        print('no table' if acked else '0 0')
        return 1 if acked else 0
    number = db.execute('SELECT number FROM last').fetchone()[0]
    money = db.execute('SELECT sum(money) FROM account').fetchone()[0]
    if number not in (acked, acked + 1) or money != ACCOUNTS * MONEY:
        print('transaction %d is the last, %d was acknowledged; %d money' % (number, acked, money))
        return 1
    with open(list_path, 'a', encoding='ascii') as f:
        f.write('%d\n' % number)
    print(number, db.execute('PRAGMA page_count').fetchone()[0])
    return 0


def main():
    signal.signal(signal.SIGTERM, end)
    if sys.argv[1] == 'run':
        return run(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    return check(sys.argv[2], sys.argv[3])


sys.exit(main())
