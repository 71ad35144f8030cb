/* SPDX-License-Identifier: MIT */
/* The templates of the examples: those in the file are those in the programs, and the lint
 * has nothing to say about any of them. */

/* The program, for its templates: static names that nothing else can reach. */
int example_main(int argc, char **argv);
#define main example_main
#include "../../examples/07-mqtt.c"
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after what it needs, and after the program: it defines fail() */
#include <cmocka.h>

static void print_finding(const struct sr_template_finding *finding, void *arg)
{
    size_t *findings = arg;

    if (finding->is_note)
        return;
    ++*findings;
    print_message("%zu:%zu: %s: %s\n", finding->line, finding->column, finding->rule,
                  finding->text);
}

static void file_holds_what_the_programs_hold(void **state)
{
    struct sr_template templates;

    (void)state;
    assert_int_equal(sr_template_read(EXAMPLES "/05-template.txt", &templates, NULL),
                     0);
    assert_string_equal(templates.version, srversion);
    assert_string_equal(templates.rows, srtemplate);
    sr_template_release(&templates);
}

static void lint_finds_nothing_in_the_file(void **state)
{
    size_t findings = 0;

    (void)state;
    assert_int_equal(
        sr_template_lint_file(EXAMPLES "/05-template.txt", print_finding, &findings),
        0);
    assert_int_equal(findings, 0);
}

static void lint_finds_nothing_in_the_programs(void **state)
{
    size_t findings = 0;

    (void)state;
    assert_int_equal(sr_template_lint(srversion, srtemplate, strlen(srtemplate),
                                      print_finding, &findings),
                     0);
    assert_int_equal(findings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_holds_what_the_programs_hold),
        cmocka_unit_test(lint_finds_nothing_in_the_file),
        cmocka_unit_test(lint_finds_nothing_in_the_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
