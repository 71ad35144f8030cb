/* SPDX-License-Identifier: MIT */
#include <smartrest/smartrest.h>
#include <stdio.h>

static struct sr_binary *binary;
static const char *copy;

static void on_got(void *loop, const struct sr_binary_result *result)
{
    printf("%s: %s\n", copy, result->rc ? result->error : "whole");
    sr_loop_stop(loop);
}

static void on_posted(void *loop, const struct sr_binary_result *result)
{
    printf("id '%s' %s\n", result->id, result->error);
    if (result->rc || sr_binary_get_file(binary, result->id, copy, on_got, loop))
        sr_loop_stop(loop);
}

/* With an agent: sr_binary_new(agent, &binary), and sr_agent_get_loop(agent). */
int main(int argc, char **argv)
{
    struct sr_binary_options options = { .user = "t4711/device_gw",
                                         .password = "secret" };
    struct sr_loop *loop = NULL;
    int rc;

    if (argc != 4)
        return 2; /* SERVER FILE COPY */
    options.server = argv[1];
    copy = argv[3];
    rc = sr_loop_new(&loop);
    if (!rc)
        rc = sr_binary_new_on(loop, &options, &binary);
    if (!rc)
        rc = sr_binary_post_file(binary, "a.log", "text/plain", argv[2], on_posted,
                                 loop);
    if (!rc)
        rc = sr_loop_run(loop);
    sr_binary_free(binary);
    sr_loop_free(loop);
    return rc != 0;
}
