/* SPDX-License-Identifier: MIT */
/* Forms in pieces of every size. */
#include "multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=\"B-1\""

static char seen[4096];

static void on_begin(void *arg, const struct sb_part *part)
{
    size_t len = strlen(seen);

    (void)arg;
    snprintf(seen + len, sizeof seen - len, "[%s|%s|%s]", part->name,
             part->filename ? part->filename : "-",
             part->content_type ? part->content_type : "-");
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    size_t at = strlen(seen);

    (void)arg;
    assert_true(at + len < sizeof seen);
    memcpy(seen + at, bytes, len);
    seen[at + len] = '\0';
}

/* Feeds `text` in pieces of `step` bytes; true if it was whole. */
static bool feed(const char *text, size_t step)
{
    struct sb_multipart *m =
        sb_multipart_new(TYPE, (struct sb_part_sink){ on_begin, on_data, NULL });
    size_t len = strlen(text);
    bool ok = true, done;

    assert_non_null(m);
    seen[0] = '\0';
    for (size_t i = 0; ok && i < len; i += step) {
        size_t n = len - i < step ? len - i : step;
        char *piece = malloc(n); /* its own block: a sanitizer sees a step too far */

        memcpy(piece, text + i, n);
        ok = sb_multipart_feed(m, piece, n);
        free(piece);
    }
    done = ok && sb_multipart_done(m);
    sb_multipart_free(m);
    return done;
}

static void expect(const char *text, const char *wanted)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        if (!feed(text, step))
            fail_msg("in pieces of %zu: not whole", step);
        if (strcmp(seen, wanted) != 0)
            fail_msg("in pieces of %zu: %s", step, seen);
    }
}

static void expect_not_whole(const char *text)
{
    for (size_t step = 1; step <= strlen(text); step++)
        assert_false(feed(text, step));
}

static void form_is_read_in_pieces_of_every_size(void **state)
{
    (void)state;
    expect("--B-1\r\nContent-Disposition: form-data; name=\"object\"\r\n\r\n{}\r\n"
           "--B-1\r\nContent-Type: text/plain\r\ncontent-disposition:form-data; "
           "filename=\"a \\\"b\\\".c\";name=file\r\n\r\nabc\r\ndef\r\n--B-1--\r\n",
           "[object|-|-]{}[file|a \"b\".c|text/plain]abc\r\ndef");
}

static void what_only_looks_like_a_boundary_is_data(void **state)
{
    (void)state;
    expect("--B-1\r\n\r\n\r\n--B-\r\r\n--B\r\n-\r\n\r\n--B-1--",
           "[|-|-]\r\n--B-\r\r\n--B\r\n-\r\n");
    expect("--B-1\r\n\r\n--B-2\r\n--B-1--", "[|-|-]--B-2");
    expect("--B-1\r\n\r\n-\r\n--B-1--", "[|-|-]-");
}

static void empty_parts_are_parts(void **state)
{
    (void)state;
    expect("--B-1\r\n\r\n\r\n--B-1 \t\r\n\r\n--B-1--", "[|-|-][|-|-]");
    expect("--B-1--", "");
}

static void preamble_and_epilogue_are_ignored(void **state)
{
    (void)state;
    expect("hello --B-1\r\n--B-1\r\n\r\nx\r\n--B-1--\r\n--B-1\r\n\r\ny", "[|-|-]x");
}

static void unfinished_or_malformed_is_not_whole(void **state)
{
    static const char *const cases[] = {
        "-",
        "--B-1",
        "--B-1-",
        "--B-1\r\n\r\nabc",
        "--B-1\r\n\r\nabc\r\n--B-1\r\n",
        "--B-1x\r\n\r\n\r\n--B-1--",
        "x--B-1--",
        "--B-1\r\nName: value--B-1--",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_not_whole(cases[i]);
}

static void header_without_end_is_bounded(void **state)
{
    char *text = malloc(3 * SB_PART_HEADER_MAX);

    (void)state;
    memset(text, 'x', 3 * SB_PART_HEADER_MAX);
    memcpy(text, "--B-1\r\n", 7);
    text[3 * SB_PART_HEADER_MAX - 1] = '\0';
    assert_false(feed(text, 1000));
    free(text);
}

static void other_types_are_no_forms(void **state)
{
    static const char *const types[] = {
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/mixed; boundary=B",
        "multipart/form-data; xboundary=B",
        "multipart/form-data; =B; boundary",
    };
    struct sb_part_sink sink = { on_begin, on_data, NULL };

    (void)state;
    assert_null(sb_multipart_new(NULL, sink));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (sb_multipart_new(types[i], sink))
            fail_msg("%s was taken", types[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_is_read_in_pieces_of_every_size),
        cmocka_unit_test(what_only_looks_like_a_boundary_is_data),
        cmocka_unit_test(empty_parts_are_parts),
        cmocka_unit_test(preamble_and_epilogue_are_ignored),
        cmocka_unit_test(unfinished_or_malformed_is_not_whole),
        cmocka_unit_test(header_without_end_is_bounded),
        cmocka_unit_test(other_types_are_no_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
