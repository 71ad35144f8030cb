/* SPDX-License-Identifier: MIT */
/* The database: one SQLite file, its schema, and statements that are prepared
 * once. Objects are rows with a column `body` (their JSON) and a column for each
 * property that queries ask for.
 *
 *     sb_store_open -> sb_run, sb_query ... sb_done -> sb_store_close
 */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include "text.h"

#include <sqlite3.h>
#include <stdint.h>

struct sb_store;

/* `dir` NULL: in memory. On failure *ret_error is a sentence; free() it.
 * Returns 0, SR_E_NOMEM, SR_E_IO, or SR_E_CORRUPT (not ours, newer, damaged). */
int sb_store_open(const char *dir, struct sb_store **ret_store, char **ret_error);
void sb_store_close(struct sb_store *store);

/* Several changes that come true together or not at all. They nest. */
void sb_store_begin(struct sb_store *store);
/* False if they could not be made; they are undone then. */
bool sb_store_commit(struct sb_store *store);
void sb_store_rollback(struct sb_store *store);
/* Between begin and commit? */
bool sb_store_in_transaction(const struct sb_store *store);

/* Next number of the one sequence that all ids come from; 0 on failure. */
int64_t sb_store_next_id(struct sb_store *store);

/* Runs `sql`, a string literal (statements are kept by its address). `types` has a
 * letter for each argument: i int64_t, s string or NULL, t struct sb_text pointer.
 * Returns the number of rows changed, or -1. */
int sb_run(struct sb_store *store, const char *sql, const char *types, ...);

/* The same for a query: step through it while sb_row() is true, then sb_done().
 * Query and strings bound stay valid till then. Accepts NULL as no rows. */
sqlite3_stmt *sb_query(struct sb_store *store, const char *sql, const char *types, ...);
bool sb_row(sqlite3_stmt *query);
void sb_done(sqlite3_stmt *query);

/* A query of one number: the first column of the first row, or `otherwise`. */
int64_t sb_number(struct sb_store *store, int64_t otherwise, const char *sql,
                  const char *types, ...);

/* Column as text, "" for NULL; the query's. */
const char *sb_column(sqlite3_stmt *query, int column);

/* A query put together at run time: `sql` grows by conditions, arguments with it. */
enum { SB_BINDS = 40 };
struct sb_select {
    struct sb_text sql;
    int n;
    struct {
        const char *text; /* NULL: a number */
        int64_t number;
    } bind[SB_BINDS];
};

/* Appends `sql`, which holds one `?`. The text has to outlive the query. */
void sb_select_text(struct sb_select *select, const char *sql, const char *text);
void sb_select_number(struct sb_select *select, const char *sql, int64_t number);
/* Prepares "`head``select``tail`"; NULL on failure. Finish with sqlite3_finalize(). */
sqlite3_stmt *sb_select_query(struct sb_store *store, const struct sb_select *select,
                              const char *head, const char *tail);
void sb_select_release(struct sb_select *select);

#endif
