/* SPDX-License-Identifier: MIT */
/* All rows of a text, read once: whoever looks at a payload that has arrived looks at its records, not
 * at its text again. What sr_parser_next() says of each row, in a row.
 *
 *     sr_rows_read -> sr_rows_at ... -> sr_rows_release
 *
 * Values are kept as places in the text, which the caller keeps unchanged; it may move as a whole
 * (sr_rows_move()). Memory: 24 bytes for each value, 32 for each row. */
#ifndef RECORD_ROWS_H
#define RECORD_ROWS_H

#include <smartrest/record.h>

struct sr_rows {
    const char *text;
    size_t len;   /* of the text, bytes */
    size_t count; /* of rows, malformed ones included */
    bool cut;     /* memory ran out: there are more */

    /* Their own. */
    struct sr_rows_row *rows;
    struct sr_span *values;
    size_t room, value_count, value_room;
    struct sr_record *record; /* the row that was last looked at */
};

/* Reads `text`. Without memory the rows that were read are there, and `cut` is set. To be released in any
 * case. */
void sr_rows_read(struct sr_rows *rows, const char *text, size_t len);
/* Zeroed is fine. */
void sr_rows_release(struct sr_rows *rows);
/* A copy of the text is to be read from now on. */
void sr_rows_move(struct sr_rows *rows, const char *text);

/* Row `i`, valid until the next call; NULL: it is malformed. */
struct sr_record *sr_rows_at(struct sr_rows *rows, size_t i);
/* The line on which row `i` begins, as sr_parser_line(). */
size_t sr_rows_line(const struct sr_rows *rows, size_t i);

#endif
