/* SPDX-License-Identifier: MIT */
/* Whatever is written as rows is read back the same, value by value, and a limit
 * is kept. The first two bytes of the input are the limit (0 is none); from there
 * on each value is a byte that says how to write it, a length, and so many bytes. */
#include "fuzz.h"
#include "record/utf8.h"
#include <math.h>
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <stdbool.h>
#include <string.h>

#define MAX_VALUES 64

struct input {
    const uint8_t *at;
    size_t left;
};

/* A value that was written, and how it has to be read. */
struct value {
    enum { BYTES, JSON, UINT, INT, DOUBLE } kind;
    bool starts_row;
    char bytes[256]; /* with a terminator */
    size_t len;
    uint64_t bits; /* of a number */
};

struct written {
    struct sr_row row;
    struct value values[MAX_VALUES];
    size_t size;
};

static uint8_t take_byte(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static void take_bytes(struct input *in, struct value *value)
{
    value->len = take_byte(in);
    if (value->len > in->left)
        value->len = in->left;
    if (value->len)
        memcpy(value->bytes, in->at, value->len);
    value->bytes[value->len] = '\0';
    memcpy(&value->bits, value->bytes, value->len < 8 ? value->len : 8);
    in->at += value->len;
    in->left -= value->len;
}

static double as_double(uint64_t bits)
{
    double number;

    memcpy(&number, &bits, sizeof number);
    return isfinite(number) ? number : 0.5;
}

static struct value *next_value(struct written *w, int kind)
{
    struct value *value = &w->values[w->size++];

    *value = (struct value){ .kind = kind, .starts_row = w->size == 1 };
    return value;
}

/* A row by itself: text bare, in quotes, for JSON, and cut, as one format. */
static void write_format(struct written *w, struct input *in)
{
    struct value *bare = next_value(w, BYTES), *quoted, *json, *cut;

    bare->starts_row = true;
    take_bytes(in, bare);
    bare->len = strlen(bare->bytes);
    quoted = next_value(w, BYTES);
    memcpy(quoted->bytes, bare->bytes, sizeof bare->bytes);
    quoted->len = bare->len;
    json = next_value(w, JSON);
    memcpy(json->bytes, bare->bytes, sizeof bare->bytes);
    cut = next_value(w, BYTES);
    cut->len = bare->len / 2 + 2;
    memcpy(cut->bytes, ":", 1);
    memcpy(cut->bytes + 1, bare->bytes, bare->len / 2);
    memcpy(cut->bytes + cut->len - 1, ".", 1);
    sr_row_format(&w->row, "%s,\"%s\",%pJ, :%.*s.", bare->bytes, bare->bytes,
                  sr_json(bare->bytes), (int)(bare->len / 2), bare->bytes);
}

static void write_start(struct written *w, struct input *in)
{
    struct value *value = next_value(w, UINT);

    value->starts_row = true;
    value->bits = take_byte(in);
    sr_row_start(&w->row, (unsigned)value->bits);
}

static void write_value(struct written *w, struct input *in, int kind)
{
    struct value *value = next_value(w, kind);

    take_bytes(in, value);
    switch (kind) {
    case BYTES: sr_row_bytes(&w->row, value->bytes, value->len); break;
    case JSON: sr_row_json(&w->row, value->bytes); break;
    case UINT: sr_row_uint(&w->row, value->bits); break;
    case INT: sr_row_int(&w->row, (int64_t)value->bits); break;
    default: sr_row_double(&w->row, as_double(value->bits));
    }
}

static void write_all(struct written *w, struct input *in)
{
    while (in->left && w->size + 4 <= MAX_VALUES) {
        uint8_t what = take_byte(in) % 7;

        if (what == 5)
            write_format(w, in);
        else if (what == 6)
            write_start(w, in);
        else
            write_value(w, in, what);
    }
}

/* --- reading back ------------------------------------------------------- */

static unsigned hex(const char *digits)
{
    unsigned number = 0;

    for (int i = 0; i < 4; i++) {
        char c = digits[i];

        must((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
        number = number * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return number;
}

/* Undoes one escape of JSON, behind the backslash. */
static char json_byte(const char **at)
{
    static const char from[] = "\"\\bfnrt", to[] = "\"\\\b\f\n\r\t";
    char c = *(*at)++;

    if (c == 'u') {
        *at += 4;
        return (char)hex(*at - 4);
    }
    must(c && strchr(from, c));
    return to[strchr(from, c) - from];
}

/* U+FFFD stands for a byte that is not of UTF-8; true and passed, if it does. */
static bool is_replaced(const char **json, const char **text)
{
    uint32_t point;

    if (sr_utf8_decode(*text, &point) || strncmp(*json, "\xef\xbf\xbd", 3) != 0)
        return false;
    *json += 3;
    *text += 1;
    return true;
}

static void must_be_json_of(const char *json, const char *text)
{
    uint32_t point;

    while (*json) {
        if (is_replaced(&json, &text))
            continue;
        must(sr_utf8_decode(json, &point) > 0 || ((unsigned char)*json & 0xc0) == 0x80);
        must((unsigned char)*json >= 0x20 && *json != '"');
        if (*json == '\\') {
            json++;
            must(json_byte(&json) == *text++);
        } else {
            must(*json++ == *text++);
        }
    }
    must(*text == '\0');
}

static void must_be(struct sr_record *record, size_t i, const struct value *value)
{
    size_t len;
    const char *bytes = sr_record_bytes(record, i, &len);
    double expected = as_double(value->bits), real;
    uint64_t number;
    int64_t integer;

    switch (value->kind) {
    case BYTES: must(len == value->len && memcmp(bytes, value->bytes, len) == 0); break;
    case JSON: must_be_json_of(sr_record_value(record, i), value->bytes); break;
    case UINT:
        must(!sr_record_uint(record, i, &number) && number == value->bits);
        break;
    case INT:
        must(!sr_record_int(record, i, &integer) && (uint64_t)integer == value->bits);
        break;
    case DOUBLE:
        must(!sr_record_double(record, i, &real));
        must(memcmp(&real, &expected, sizeof real) == 0);
        break;
    }
}

static void read_back(const struct written *w)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t at = 0;

    sr_parser_init(&parser, sr_row_text(&w->row), sr_row_len(&w->row));
    while (at < w->size) {
        must(sr_parser_next(&parser, &record) == 0);
        must(w->values[at].starts_row);
        for (size_t i = 0; i < sr_record_size(record); i++, at++) {
            must(at < w->size && w->values[at].starts_row == (i == 0));
            must_be(record, i, &w->values[at]);
        }
    }
    must(sr_parser_next(&parser, &record) == SR_E_END);
    sr_parser_release(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct written w;
    struct input in = { data, len };
    size_t limit = take_byte(&in);

    limit = limit << 8 | take_byte(&in);
    w.size = 0;
    sr_row_init(&w.row, limit);
    write_all(&w, &in);
    must(sr_row_error(&w.row) == 0 || sr_row_error(&w.row) == SR_E_TOOBIG);
    must(sr_row_error(&w.row) == 0 || limit);
    must(limit == 0 || w.row.len <= limit);
    if (sr_row_error(&w.row) == 0)
        read_back(&w);
    else
        must(sr_row_len(&w.row) == 0 && *sr_row_text(&w.row) == '\0');
    sr_row_release(&w.row);
    return 0;
}
