/* SPDX-License-Identifier: MIT */
#include <smartrest/smartrest.h>
#include <stdio.h>

static void on_answer(void *arg, const struct sr_http_result *result)
{
    if (result->rc)
        fprintf(stderr, "%s\n", result->error);
    else
        printf("%ld %s\n%s\n", result->status, sr_http_header(result, "Content-Length"),
               result->body);
    sr_loop_stop(arg);
}

int main(int argc, char **argv)
{
    const struct sr_http_header headers[] = {
        {"X-Id", "42"}
    };
    const struct sr_http_call call = { .url = argc > 1 ? argv[1] : "http://localhost/",
                                       .headers = headers,
                                       .header_count = 1,
                                       .timeout_ms = 5000 };
    const struct sr_net net = { .proxy = "" }; /* and defaults */
    struct sr_loop *loop = NULL;
    struct sr_http *http = NULL;
    int rc = sr_loop_new(&loop);

    if (!rc)
        rc = sr_http_new(loop, &net, &http);
    if (!rc)
        rc = sr_http_request(http, &call, on_answer, loop, NULL);
    if (!rc)
        rc = sr_loop_run(loop);
    if (rc)
        fprintf(stderr, "%s\n", sr_strerror(rc));
    sr_http_free(http);
    sr_loop_free(loop);
    return rc != 0;
}
