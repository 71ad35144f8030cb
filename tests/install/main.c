/* SPDX-License-Identifier: MIT */
/* An outside program that touches every part of the library which needs no network. */
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>

static int reads_a_row(const char *text)
{
    struct sr_parser parser;
    struct sr_record *record;
    int good;

    sr_parser_init(&parser, text, strlen(text));
    good = sr_parser_next(&parser, &record) == 0 && sr_record_size(record) == 2 &&
           !strcmp(sr_record_value(record, 1), "outside");
    sr_parser_release(&parser);
    return good;
}

static int makes_an_agent(void)
{
    struct sr_agent *agent;
    int good;

    if (sr_agent_new("http://localhost:9", "outside", &agent))
        return 0;
    good = !strcmp(sr_agent_device_id(agent), "outside");
    sr_agent_free(agent);
    return good;
}

int main(void)
{
    struct sr_row row;
    int good;

    sr_row_init(&row, 0);
    sr_row_format(&row, "100,%s", "outside");
    good = reads_a_row(sr_row_text(&row)) && makes_an_agent();
    sr_debug("not shown");
    printf("a row: %s\n", sr_row_text(&row));
    sr_row_release(&row);
    return good ? 0 : 1;
}
