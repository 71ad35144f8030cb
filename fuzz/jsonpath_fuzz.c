/* SPDX-License-Identifier: MIT */
/* A path, a line end, a JSON text. A path that is accepted finds one thing in the
 * text or nothing, and what is found is written and read back the same. */
#include "../sandbox/json.h"
#include "../sandbox/jsonpath.h"
#include "fuzz.h"

#include <string.h>

static void check_found(const json_t *found)
{
    char error[SB_JSON_ERROR];
    struct sb_text text = { 0 };
    json_t *again;

    must(!json_is_null(found));
    sb_json_write(&text, found);
    must(!text.failed && text.len);
    if (json_is_object(found) || json_is_array(found)) {
        again = sb_json_read(text.data, text.len, error);
        must(again && json_equal(again, found));
        json_decref(again);
    }
    sb_text_release(&text);
}

static void find(const struct sb_jsonpath *path, const char *bytes, size_t len)
{
    char error[SB_JSON_ERROR] = "";
    json_t *root = sb_json_read(bytes, len, error), *found;

    if (!root) {
        must(*error);
        return;
    }
    found = sb_jsonpath_find(path, root);
    if (found)
        check_found(found);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
    size_t path_len = end ? (size_t)(end - data) : len;
    char *text = strndup((const char *)data, path_len);
    struct sb_jsonpath *path = NULL;
    const char *wrong = text ? sb_jsonpath_parse(text, &path) : "no memory";

    must(wrong ? !path && *wrong : path != NULL);
    if (path && end)
        find(path, (const char *)end + 1, len - path_len - 1);
    sb_jsonpath_free(path);
    free(text);
    return 0;
}
