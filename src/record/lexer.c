/* SPDX-License-Identifier: MIT */
/* Bytes to tokens.
 *
 * Between two calls the lexer stands
 *   - at the beginning of a row,
 *   - behind a comma (value_due), or
 *   - on the line end, or the end of the text, that follows a value;
 * a comma is consumed together with the value in front of it. So one flag and
 * the position are all there is to remember. */
#include <smartrest/record.h>
#include <string.h>
#if defined(__SSE2__) && !defined(SR_PORTABLE)
#include <emmintrin.h>
#endif

/* The bytes an unquoted value cannot hold. */
static const unsigned char ends_bare[256] = {
    [','] = 1, ['"'] = 1, ['\r'] = 1, ['\n'] = 1
};

/* --- finding where values end ------------------------------------------- */

/* Values are short: looking at them byte by byte, the processor would guess the
 * end of every one wrong. So 64 bytes are looked at together, and what was found
 * serves all the values in them. */
#define BLOCK 64

/* One bit for each of the bytes that is `,` or less, the first byte lowest: all of
 * ends_bare is among them, and little else that is common in values. */
#if defined(__SSE2__) && !defined(SR_PORTABLE)

static uint64_t stops_in_block(const char *at)
{
    const __m128i last = _mm_set1_epi8(',');
    uint64_t stops = 0;

    for (unsigned i = 0; i < BLOCK; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        __m128i found = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last), bytes);

        stops |= (uint64_t)(unsigned)_mm_movemask_epi8(found) << i;
    }
    return stops;
}

#else

static uint64_t load_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint64_t stops_in_block(const char *at)
{
    char is_stop[BLOCK];
    uint64_t stops = 0;

    for (unsigned i = 0; i < BLOCK; i++)
        is_stop[i] = (unsigned char)at[i] <= ',';
    for (unsigned i = 0; i < BLOCK; i += 8) /* a product gathers the bits of 8 bytes */
        stops |= load_word(is_stop + i) * UINT64_C(0x0102040810204080) >> 56 << i;
    return stops;
}

#endif

static void load_block(struct sr_lexer *lexer, size_t pos)
{
    size_t left = lexer->len - pos;
    char last[BLOCK];

    lexer->block = pos;
    if (left >= BLOCK) {
        lexer->stops = stops_in_block(lexer->text + pos);
        return;
    }
    memset(last, 'x', sizeof last); /* nothing ends there */
    memcpy(last, lexer->text + pos, left);
    lexer->stops = stops_in_block(last);
}

/* The first byte from `pos` on at which a value may end, or the end of the text. */
static inline size_t next_stop(struct sr_lexer *lexer, size_t pos)
{
    size_t in_block = pos - lexer->block;
    uint64_t stops = in_block < BLOCK ? lexer->stops >> in_block : 0;

    if (in_block < BLOCK && !stops)
        pos += BLOCK - in_block;
    while (!stops) {
        if (pos >= lexer->len)
            return lexer->len;
        load_block(lexer, pos);
        stops = lexer->stops;
        if (!stops)
            pos += BLOCK;
    }
    return pos + (size_t)__builtin_ctzll(stops);
}

/* --- tokens ------------------------------------------------------------- */

void sr_lexer_init(struct sr_lexer *lexer, const char *text, size_t len)
{
    if (!lexer)
        return;
    if (!text)
        len = 0;
    *lexer = (struct sr_lexer){ .text = len ? text : "", .len = len };
    lexer->block = (size_t)-BLOCK; /* no byte of the text is in there */
}

static size_t newline_len(const struct sr_lexer *lexer, size_t pos)
{
    if (lexer->text[pos] == '\n')
        return 1;
    if (lexer->text[pos] == '\r' && lexer->len - pos > 1 &&
        lexer->text[pos + 1] == '\n')
        return 2;
    return 0;
}

static void skip_blanks(struct sr_lexer *lexer)
{
    while (lexer->pos < lexer->len &&
           (lexer->text[lexer->pos] == ' ' || lexer->text[lexer->pos] == '\t'))
        lexer->pos++;
}

static enum sr_token fail(struct sr_lexer *lexer, size_t offset, size_t resume)
{
    lexer->error = offset;
    lexer->pos = resume;
    lexer->value_due = false;
    return SR_TOKEN_ERROR;
}

/* Where the row after the one with the offending byte `pos` begins. */
static size_t next_line(const struct sr_lexer *lexer, size_t pos)
{
    const char *lf = memchr(lexer->text + pos, '\n', lexer->len - pos);

    return lf ? (size_t)(lf - lexer->text) + 1 : lexer->len;
}

/* A value, closing quote included, ended in front of `pos`: what stands there
 * has to be a comma or the end of the row. */
static enum sr_token end_value(struct sr_lexer *lexer, size_t pos)
{
    lexer->value_due = pos < lexer->len && lexer->text[pos] == ',';
    if (lexer->value_due) {
        lexer->pos = pos + 1;
        return SR_TOKEN_VALUE;
    }
    if (pos < lexer->len && !newline_len(lexer, pos))
        return fail(lexer, pos, next_line(lexer, pos));
    lexer->pos = pos;
    return SR_TOKEN_VALUE;
}

static enum sr_token bare_value(struct sr_lexer *lexer, struct sr_span *ret_span)
{
    struct sr_span span = { .offset = lexer->pos };
    size_t end = next_stop(lexer, lexer->pos);
    enum sr_token token;

    while (end < lexer->len && !ends_bare[(unsigned char)lexer->text[end]])
        end = next_stop(lexer, end + 1);
    span.len = end - span.offset;
    token = end_value(lexer, end);
    if (token == SR_TOKEN_VALUE)
        *ret_span = span;
    return token;
}

/* Stands on the opening quote. */
static enum sr_token quoted_value(struct sr_lexer *lexer, struct sr_span *ret_span)
{
    const char *begin = lexer->text + lexer->pos + 1;
    const char *end = lexer->text + lexer->len;
    const char *at = memchr(begin, '"', (size_t)(end - begin));
    struct sr_span span = { .offset = lexer->pos + 1, .quoted = true };
    enum sr_token token;

    while (at && at + 1 < end && at[1] == '"') {
        span.escaped = true;
        at = memchr(at + 2, '"', (size_t)(end - at - 2));
    }
    if (!at)
        return fail(lexer, lexer->pos, lexer->len);
    span.len = (size_t)(at - begin);
    token = end_value(lexer, span.offset + span.len + 1);
    if (token == SR_TOKEN_VALUE)
        *ret_span = span;
    return token;
}

/* Any token, wherever the lexer stands. */
static __attribute__((noinline)) enum sr_token any_token(struct sr_lexer *lexer,
                                                         struct sr_span *ret_span)
{
    size_t newline;

    skip_blanks(lexer);
    if (!lexer->value_due) {
        if (lexer->pos == lexer->len)
            return SR_TOKEN_END;
        newline = newline_len(lexer, lexer->pos);
        lexer->pos += newline;
        if (newline)
            return SR_TOKEN_NEWLINE;
    }
    if (lexer->pos < lexer->len && lexer->text[lexer->pos] == '"')
        return quoted_value(lexer, ret_span);
    return bare_value(lexer, ret_span);
}

/* The stops from the lexer's position on; none if they are not in the block. */
static inline uint64_t stops_at(struct sr_lexer *lexer)
{
    size_t in_block = lexer->pos - lexer->block;

    if (in_block < BLOCK && lexer->stops >> in_block)
        return lexer->stops >> in_block;
    if (lexer->pos == lexer->len)
        return 0;
    load_block(lexer, lexer->pos);
    return lexer->stops;
}

/* The bytes from the lexer's position to `end`, quotes included, are a value if a
 * comma or a line feed follows. */
static inline bool take_value(struct sr_lexer *lexer, size_t end, bool quoted,
                              bool escaped, struct sr_span *ret_span)
{
    size_t pos = lexer->pos;
    char next = end < lexer->len ? lexer->text[end] : '\0';
    bool comma = next == ',', line_feed = next == '\n';

    if (!(comma | line_feed)) /* one branch: which of them it is, is hard to guess */
        return false;
    ret_span->offset = pos + quoted;
    ret_span->len = end - pos - 2 * quoted;
    ret_span->quoted = quoted;
    ret_span->escaped = escaped;
    lexer->value_due = comma;
    lexer->pos = end + comma;
    return true;
}

/* Most values are short: they end in the block at hand. For those a look at the
 * next stops does; false leaves everything as it is, for any_token(). A blank in
 * front of a value is a stop itself. */
static inline bool short_value(struct sr_lexer *lexer, uint64_t stops,
                               struct sr_span *ret_span)
{
    size_t end = lexer->pos + (size_t)__builtin_ctzll(stops);
    bool escaped = false;

    if (lexer->text[end] != '"')
        return take_value(lexer, end, false, false, ret_span);
    if (end != lexer->pos)
        return false;
    for (stops &= stops - 1; stops; stops &= stops - 1) {
        end = lexer->pos + (size_t)__builtin_ctzll(stops);
        if (lexer->text[end] != '"')
            continue;
        if (end + 1 == lexer->len || lexer->text[end + 1] != '"')
            return take_value(lexer, end + 1, true, escaped, ret_span);
        escaped = true;
        stops &= stops - 1; /* both quotes, or none is left in the block */
    }
    return false;
}

enum sr_token sr_lexer_next(struct sr_lexer *lexer, struct sr_span *ret_span)
{
    uint64_t stops;

    if (!lexer || !ret_span)
        return SR_TOKEN_END;
    stops = stops_at(lexer);
    if (!stops)
        return any_token(lexer, ret_span);
    if (!lexer->value_due && lexer->text[lexer->pos] == '\n') {
        lexer->pos++;
        return SR_TOKEN_NEWLINE;
    }
    if (short_value(lexer, stops, ret_span))
        return SR_TOKEN_VALUE;
    return any_token(lexer, ret_span);
}
