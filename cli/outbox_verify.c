/* SPDX-License-Identifier: MIT */
#include "outbox.h"
#include "text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct verify {
    const char *dir;
    bool quiet;
    uint64_t files, damaged, waiting, done, quarantined;
};

static const struct cli_usage usage = {
  /* clang-format off */
    .name = "outbox verify",
    .about = "Reads every byte of the outbox in DIR, and says whether all rows in it are as they were\n"
             "written; else where and why not, FILE:OFFSET: REASON.",
    .options = (const struct cli_option[]){
        { 'q', "quiet", NULL, "only damage" },
        { 0, NULL, NULL, NULL } },
    .more = "A row that is half written at the very end is no damage, and only told: an agent is\n"
            "writing, or died while it was. Nor are files that were set aside at an earlier start,\n"
            "*.damaged: what was whole in them is in the outbox.\n\n"
            "An agent may be running on it. Exit status: 0, intact; 1, damaged; 2, it cannot be read.",
  /* clang-format on */
};

static int take(void *arg, int id, const char *value)
{
    struct verify *verify = arg;

    (void)id, (void)value;
    verify->quiet = true;
    return -1;
}

/* "DIR/FILE:", and the offset if `at` is not NULL. */
static void print_place(const struct verify *verify, const char *file,
                        const uint64_t *at)
{
    size_t len = strlen(verify->dir);

    while (len > 1 && verify->dir[len - 1] == '/')
        len--;
    cli_put_escaped(stdout, verify->dir, len);
    if (verify->dir[len - 1] != '/')
        fputc('/', stdout);
    cli_put_escaped(stdout, file, strlen(file));
    if (at)
        printf(":%" PRIu64, *at);
    fputs(": ", stdout);
}

static void print_damage(const struct verify *verify, const struct sr_stored_file *file)
{
    print_place(verify, file->name, &file->damage);
    fputs(cli_colour(stdout, CLI_RED), stdout);
    cli_put_escaped(stdout, file->damage_why, strlen(file->damage_why));
    printf("%s\n", cli_colour(stdout, CLI_PLAIN));
}

static void print_note(const struct verify *verify, const struct sr_stored_file *file)
{
    if (file->kind == SR_STORED_ASIDE) {
        print_place(verify, file->name, NULL);
        puts("set aside at an earlier start");
    } else if (file->version > 2) {
        print_place(verify, file->name, NULL);
        printf("of version %u, that is not known here\n", file->version);
    } else if (file->unknown) {
        print_place(verify, file->name, NULL);
        printf("%" PRIu64 " records of a later program\n", file->unknown);
    } else if (file->torn) {
        print_place(verify, file->name, &file->damage);
        puts("half written, which is no damage: an agent is writing, or died while it "
             "was");
    }
}

static int on_file(void *arg, const struct sr_stored_file *file)
{
    struct verify *verify = arg;

    verify->files++;
    if (!file->intact && file->kind != SR_STORED_ASIDE) {
        verify->damaged++;
        print_damage(verify, file);
    } else if (!verify->quiet) {
        print_note(verify, file);
    }
    return 0;
}

static int on_row(void *arg, const struct sr_stored_row *row)
{
    struct verify *verify = arg;

    verify->quarantined += row->quarantined;
    verify->done += !row->quarantined && row->done;
    verify->waiting += !row->quarantined && !row->done;
    return 0;
}

static void print_verdict(const struct verify *verify)
{
    char files[CLI_COUNT_SIZE], rows[CLI_COUNT_SIZE];

    if (verify->damaged)
        printf("damaged: %" PRIu64 " of %s", verify->damaged,
               cli_count(verify->files, "file", files));
    else
        printf("intact: %s", cli_count(verify->files, "file", files));
    printf("; %s waiting, %" PRIu64 " done, %" PRIu64 " in quarantine\n",
           cli_count(verify->waiting, "row", rows), verify->done, verify->quarantined);
}

int cli_outbox_verify(int argc, char **argv)
{
    struct verify verify = { .quiet = false };
    struct sr_outbox_visitor visitor = { on_file, on_row, &verify };
    int status = cli_usage_read(&usage, argc, argv, take, &verify, &verify.dir);

    if (status >= 0)
        return status;
    status = cli_outbox_scan(usage.name, verify.dir, &visitor);
    if (status >= 0)
        return cli_finish(status);
    if (!verify.quiet)
        print_verdict(&verify);
    return cli_finish(verify.damaged ? CLI_NO : CLI_OK);
}
