/* SPDX-License-Identifier: MIT */
#include "store.h"
#include "regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x53526a31, /* "SRj1", in the file's header */
    SCHEMA_VERSION = 1,
    FIRST_ID = 10000,
    STATEMENTS = 256, /* slots, a power of two; more than there are literals */
};

struct slot {
    const char *sql;
    sqlite3_stmt *statement;
};

struct sb_store {
    sqlite3 *db;
    int depth; /* of nested transactions */
    struct slot slot[STATEMENTS];
};

/* What has time, type and source; `deviceId` is the source of an operation. */
#define DOCUMENT_TABLE(name)                        \
    "CREATE TABLE " name "(id INTEGER PRIMARY KEY," \
    " source INTEGER NOT NULL, type TEXT NOT NULL," \
    " time INTEGER NOT NULL, status TEXT NOT NULL," \
    " severity TEXT NOT NULL, body TEXT NOT NULL);" \
    "CREATE INDEX " name "_source ON " name "(source, time, id);"

static const char schema[] =
    "CREATE TABLE sequence(id INTEGER PRIMARY KEY, next INTEGER);"
    "CREATE TABLE managed_object(id INTEGER PRIMARY KEY, owner TEXT NOT NULL,"
    " type TEXT, name TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " body TEXT NOT NULL);"
    "CREATE INDEX managed_object_owner ON managed_object(owner);"
    "CREATE TABLE child(kind TEXT NOT NULL, parent INTEGER NOT NULL,"
    " child INTEGER NOT NULL, PRIMARY KEY(kind, parent, child)) WITHOUT ROWID;"
    "CREATE INDEX child_child ON child(child);"
    "CREATE INDEX child_parent ON child(parent);"
    "CREATE TABLE external_id(type TEXT NOT NULL, value TEXT NOT NULL,"
    " object INTEGER NOT NULL, PRIMARY KEY(type, value)) WITHOUT ROWID;"
    "CREATE INDEX external_id_object ON external_id(object);"
    "CREATE TABLE device_request(id TEXT PRIMARY KEY, status TEXT NOT NULL,"
    " owner TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE device_user(device TEXT PRIMARY KEY,"
    " password TEXT NOT NULL) WITHOUT ROWID;" DOCUMENT_TABLE("measurement")
        DOCUMENT_TABLE("event") DOCUMENT_TABLE("alarm") DOCUMENT_TABLE("operation");

/* --- opening ------------------------------------------------------------ */

static int64_t pragma(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t number = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static int create(sqlite3 *db, char **ret_error)
{
    char *sql = sqlite3_mprintf("BEGIN; %s INSERT INTO sequence VALUES(1, %d);"
                                "PRAGMA application_id=%d; PRAGMA user_version=%d;"
                                "COMMIT;",
                                schema, FIRST_ID, APPLICATION_ID, SCHEMA_VERSION);
    int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

    sqlite3_free(sql);
    if (rc == SQLITE_OK)
        return 0;
    *ret_error = sb_format("cannot write the database: %s", sqlite3_errmsg(db));
    return SR_E_IO;
}

/* Ours, of this version, and whole? An empty file becomes one. */
static int check(sqlite3 *db, const char *path, char **ret_error)
{
    int64_t application = pragma(db, "PRAGMA application_id");
    int64_t version = pragma(db, "PRAGMA user_version");
    int64_t tables = pragma(db, "SELECT count(*) FROM sqlite_master");

    if (tables < 0 && sqlite3_errcode(db) == SQLITE_BUSY) {
        *ret_error = sb_format("%s: another sandbox is using it", path);
        return SR_E_IO;
    }
    if (tables < 0) {
        *ret_error =
            sb_format("%s: not a database, or damaged: %s", path, sqlite3_errmsg(db));
        return SR_E_CORRUPT;
    }
    if (tables == 0 && application == 0 && version == 0)
        return create(db, ret_error);
    if (application != APPLICATION_ID) {
        *ret_error = sb_format("%s: a database of another program", path);
        return SR_E_CORRUPT;
    }
    if (version != SCHEMA_VERSION) {
        *ret_error = sb_format("%s: written by another version of the sandbox (schema "
                               "%d, this one has %d)",
                               path, (int)version, SCHEMA_VERSION);
        return SR_E_CORRUPT;
    }
    if (pragma(db, "SELECT next FROM sequence") < FIRST_ID ||
        pragma(db, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)") != 1) {
        *ret_error = sb_format("%s: the database is damaged", path);
        return SR_E_CORRUPT;
    }
    return 0;
}

/* Passwords are in there: nobody else reads it. SQLite gives its other files the
 * mode of this one. */
static int make_private(const char *path, char **ret_error)
{
    int fd = sb_open_regular(path, O_RDWR | O_CREAT);

    if (fd < 0) {
        *ret_error = sb_format("%s: %s", path, sb_regular_error(errno));
        return SR_E_IO;
    }
    close(fd);
    return 0;
}

static int open_file(struct sb_store *store, const char *path, char **ret_error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK) {
        *ret_error = sb_format("%s: %s", path,
                               store->db ? sqlite3_errmsg(store->db) : "out of memory");
        return SR_E_IO;
    }
    sqlite3_busy_timeout(store->db, 500);
    return check(store->db, path, ret_error);
}

/* Exclusive: a second sandbox on the same directory is told so at once. */
static int tune(struct sb_store *store, const char *path, char **ret_error)
{
    if (sqlite3_exec(store->db,
                     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
                     "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
                     "BEGIN EXCLUSIVE; COMMIT;",
                     NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    *ret_error = sb_format("%s: %s", path, sqlite3_errmsg(store->db));
    return SR_E_IO;
}

int sb_store_open(const char *dir, struct sb_store **ret_store, char **ret_error)
{
    struct sb_store *store = calloc(1, sizeof *store);
    char *path = dir ? sb_format("%s/platform.db", dir) : strdup(":memory:");
    int rc = 0;

    if (!store || !path) {
        *ret_error = strdup("out of memory");
        rc = SR_E_NOMEM;
        goto done;
    }
    if (dir)
        rc = make_private(path, ret_error);
    if (!rc)
        rc = open_file(store, path, ret_error);
    if (!rc && dir)
        rc = tune(store, path, ret_error);
    if (!rc) {
        *ret_store = store;
        store = NULL;
    }
done:
    free(path);
    sb_store_close(store);
    return rc;
}

void sb_store_close(struct sb_store *store)
{
    size_t i;

    if (!store)
        return;
    for (i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->slot[i].statement);
    sqlite3_close(store->db);
    free(store);
}

/* --- statements ---------------------------------------------------------- */

static sqlite3_stmt *prepared(struct sb_store *store, const char *sql)
{
    size_t i = ((uintptr_t)sql >> 3) % STATEMENTS, tries;

    for (tries = 0; tries < STATEMENTS; tries++, i = (i + 1) % STATEMENTS) {
        struct slot *slot = &store->slot[i];

        if (slot->sql == sql)
            return slot->statement;
        if (slot->sql)
            continue;
        if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                               &slot->statement, NULL) != SQLITE_OK)
            return NULL;
        slot->sql = sql;
        return slot->statement;
    }
    return NULL;
}

static void bind_text(sqlite3_stmt *statement, int i, const char *text, size_t len)
{
    sqlite3_bind_text64(statement, i, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
    int i;

    for (i = 1; *types; types++, i++) {
        if (*types == 'i') {
            sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        } else if (*types == 's') {
            const char *text = va_arg(args, const char *);
            bind_text(statement, i, text, text ? strlen(text) : 0);
        } else {
            const struct sb_text *text = va_arg(args, const struct sb_text *);
            bind_text(statement, i, text->data, text->len);
        }
    }
}

static sqlite3_stmt *vquery(struct sb_store *store, const char *sql, const char *types,
                            va_list args)
{
    sqlite3_stmt *statement = prepared(store, sql);

    if (statement)
        bind_all(statement, types, args);
    return statement;
}

int sb_run(struct sb_store *store, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    int rc;

    va_start(args, types);
    statement = vquery(store, sql, types, args);
    va_end(args);
    rc = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    sb_done(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? sqlite3_changes(store->db) : -1;
}

sqlite3_stmt *sb_query(struct sb_store *store, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list args;

    va_start(args, types);
    statement = vquery(store, sql, types, args);
    va_end(args);
    return statement;
}

bool sb_row(sqlite3_stmt *query)
{
    return query && sqlite3_step(query) == SQLITE_ROW;
}

void sb_done(sqlite3_stmt *query)
{
    if (!query)
        return;
    sqlite3_reset(query);
    sqlite3_clear_bindings(query); /* they point to what the caller may free */
}

int64_t sb_number(struct sb_store *store, int64_t otherwise, const char *sql,
                  const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    int64_t number = otherwise;

    va_start(args, types);
    statement = vquery(store, sql, types, args);
    va_end(args);
    if (sb_row(statement))
        number = sqlite3_column_int64(statement, 0);
    sb_done(statement);
    return number;
}

const char *sb_column(sqlite3_stmt *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query, column);

    return text ? (const char *)text : "";
}

int64_t sb_store_next_id(struct sb_store *store)
{
    static const char next[] =
        "UPDATE sequence SET next = next + 1 WHERE id = 1 RETURNING next - 1";
    sqlite3_stmt *statement = prepared(store, next);
    int64_t id = 0;

    if (sb_row(statement))
        id = sqlite3_column_int64(statement, 0);
    /* the row is written when the statement ends, not when it answers */
    if (id && sqlite3_step(statement) != SQLITE_DONE)
        id = 0;
    sb_done(statement);
    return id;
}

/* --- transactions -------------------------------------------------------- */

bool sb_store_in_transaction(const struct sb_store *store)
{
    return store->depth > 0;
}

void sb_store_begin(struct sb_store *store)
{
    if (store->depth++ == 0)
        sb_run(store, "BEGIN", "");
    else
        sb_run(store, "SAVEPOINT inner_one", "");
}

bool sb_store_commit(struct sb_store *store)
{
    int rc;

    if (--store->depth > 0) {
        rc = sb_run(store, "RELEASE inner_one", "");
    } else {
        rc = sb_run(store, "COMMIT", "");
        if (rc < 0)
            sb_run(store, "ROLLBACK", "");
    }
    return rc >= 0;
}

void sb_store_rollback(struct sb_store *store)
{
    if (--store->depth > 0) {
        sb_run(store, "ROLLBACK TO inner_one", "");
        sb_run(store, "RELEASE inner_one", "");
    } else {
        sb_run(store, "ROLLBACK", "");
    }
}

/* --- queries made at run time --------------------------------------------- */

void sb_select_text(struct sb_select *select, const char *sql, const char *text)
{
    if (select->n == SB_BINDS) {
        select->sql.failed = true;
        return;
    }
    select->bind[select->n++].text = text;
    sb_text_puts(&select->sql, sql);
}

void sb_select_number(struct sb_select *select, const char *sql, int64_t number)
{
    if (select->n == SB_BINDS) {
        select->sql.failed = true;
        return;
    }
    select->bind[select->n++].number = number;
    sb_text_puts(&select->sql, sql);
}

sqlite3_stmt *sb_select_query(struct sb_store *store, const struct sb_select *select,
                              const char *head, const char *tail)
{
    char *sql = select->sql.failed
                    ? NULL
                    : sb_format("%s%s%s", head, sb_text_get(&select->sql), tail);
    sqlite3_stmt *statement = NULL;
    int i;

    if (!sql || sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        free(sql);
        return NULL;
    }
    free(sql);
    for (i = 0; i < select->n; i++) {
        const char *text = select->bind[i].text;

        if (text)
            bind_text(statement, i + 1, text, strlen(text));
        else
            sqlite3_bind_int64(statement, i + 1, select->bind[i].number);
    }
    return statement;
}

void sb_select_release(struct sb_select *select)
{
    sb_text_release(&select->sql);
}
