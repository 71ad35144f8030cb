/* SPDX-License-Identifier: MIT */
#include "record/rows.h"

#include "record/record_p.h"
#include <stdlib.h>

struct sr_rows_row {
    size_t first, size; /* of its values; size 0: malformed */
    size_t end;         /* where it ends in the text */
    size_t line;
};

enum { ROOM_FIRST = 8 };

/* Room for one more of `size` bytes each; NULL without memory. */
static void *room_for(void *all, size_t count, size_t *room, size_t size)
{
    size_t more = *room ? 2 * *room : ROOM_FIRST;
    void *grown;

    if (count < *room)
        return all;
    if (more > SIZE_MAX / size)
        return NULL;
    grown = realloc(all, more * size);
    if (grown)
        *room = more;
    return grown;
}

static struct sr_rows_row *new_row(struct sr_rows *rows, size_t line)
{
    struct sr_rows_row *grown =
        room_for(rows->rows, rows->count, &rows->room, sizeof *rows->rows);

    if (!grown)
        return NULL;
    rows->rows = grown;
    grown[rows->count] =
        (struct sr_rows_row){ .first = rows->value_count, .line = line };
    return &grown[rows->count];
}

static bool add_value(struct sr_rows *rows, struct sr_rows_row *row,
                      const struct sr_span *span, size_t end)
{
    struct sr_span *grown = room_for(rows->values, rows->value_count, &rows->value_room,
                                     sizeof *rows->values);

    if (!grown)
        return false;
    rows->values = grown;
    grown[rows->value_count++] = *span;
    row->size++;
    row->end = end;
    return true;
}

/* The row that begins with `token`. False without memory. */
static bool read_row(struct sr_rows *rows, struct sr_lexer *lexer, enum sr_token token,
                     struct sr_span *span, size_t line)
{
    struct sr_rows_row *row = new_row(rows, line);

    if (!row)
        return false;
    for (; token == SR_TOKEN_VALUE; token = sr_lexer_next(lexer, span))
        if (!add_value(rows, row, span, lexer->pos))
            return false;
    if (token == SR_TOKEN_ERROR)
        row->size = 0;
    rows->count++;
    return true;
}

static bool read_all(struct sr_rows *rows)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    size_t line = 1;

    sr_lexer_init(&lexer, rows->text, rows->len);
    while ((token = sr_lexer_next(&lexer, &span)) != SR_TOKEN_END) {
        if (token != SR_TOKEN_NEWLINE && !read_row(rows, &lexer, token, &span, line))
            return false;
        line++;
    }
    return true;
}

void sr_rows_read(struct sr_rows *rows, const char *text, size_t len)
{
    *rows = (struct sr_rows){ .text = text, .len = len };
    rows->record = len ? calloc(1, sizeof *rows->record) : NULL;
    rows->cut = len && (!rows->record || !read_all(rows));
}

void sr_rows_release(struct sr_rows *rows)
{
    if (rows->record)
        free(rows->record->scratch);
    free(rows->record);
    free(rows->values);
    free(rows->rows);
    *rows = (struct sr_rows){ .text = NULL };
}

void sr_rows_move(struct sr_rows *rows, const char *text)
{
    rows->text = text;
}

struct sr_record *sr_rows_at(struct sr_rows *rows, size_t i)
{
    const struct sr_rows_row *row = &rows->rows[i];
    struct sr_record *record = rows->record;

    if (!row->size)
        return NULL;
    record->values = rows->values + row->first;
    record->size = row->size;
    record->offset = record->values->offset - record->values->quoted;
    record->row = rows->text + record->offset;
    record->len = row->end - record->offset;
    return record;
}

size_t sr_rows_line(const struct sr_rows *rows, size_t i)
{
    return rows->rows[i].line;
}
