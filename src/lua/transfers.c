/* SPDX-License-Identifier: MIT */
/* c8y:post, postf, get, getf, c8y:sleep: the callback waits, the loop does not. */
#include "lua/connections.h"
#include <smartrest/binary.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transfer {
    struct op op; /* first */
    struct sr_binary *binary;
    bool has_answer; /* which c8y.resp becomes */
    int rc;
    char error[300];
    struct bytes answer;
    uint64_t size;
};

static void free_transfer(struct op *op)
{
    struct transfer *transfer = (struct transfer *)op;

    sr_binary_free(transfer->binary);
    sr_lua_bytes_release(&transfer->answer);
    free(transfer);
}

static int push_transfer(lua_State *L, struct op *op)
{
    struct transfer *transfer = (struct transfer *)op;
    const char *answer = transfer->answer.data ? transfer->answer.data : "";

    if (transfer->rc) {
        sr_lua_set_resp(L, NULL, 0);
        return sr_lua_push_failure(L, transfer->rc, transfer->error);
    }
    if (transfer->has_answer)
        sr_lua_set_resp(L, answer, transfer->answer.len);
    lua_pushinteger(L, (lua_Integer)transfer->size);
    return 1;
}

static void take_answer(struct transfer *transfer, const char *bytes, size_t len)
{
    if (!sr_lua_bytes_add(&transfer->answer, bytes, len))
        transfer->rc = SR_E_TOOBIG;
    transfer->size = len;
}

static void on_done(struct transfer *transfer, const struct sr_binary_result *result)
{
    transfer->rc = result->rc;
    snprintf(transfer->error, sizeof transfer->error, "%s", result->error);
    transfer->size = result->size;
}

static void on_posted(void *arg, const struct sr_binary_result *result)
{
    struct transfer *transfer = arg;

    on_done(transfer, result);
    if (!result->rc)
        take_answer(transfer, result->answer, result->answer_len);
    sr_lua_wake(&transfer->op);
}

static void on_got(void *arg, const struct sr_binary_result *result)
{
    struct transfer *transfer = arg;

    on_done(transfer, result);
    if (!result->rc && transfer->has_answer)
        take_answer(transfer, result->bytes, (size_t)result->size);
    sr_lua_wake(&transfer->op);
}

/* On failure nothing is left, and -1 and the reason are pushed. */
static struct transfer *begin(lua_State *L, const char *what, bool has_answer)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    struct transfer *transfer;
    int rc = SR_E_NOMEM;

    sr_lua_check_wait(L, what);
    transfer = calloc(1, sizeof *transfer);
    if (transfer) {
        transfer->op.free = free_transfer;
        transfer->op.push = push_transfer;
        transfer->has_answer = has_answer;
        transfer->answer.max = plugin->memory_max;
        rc = sr_binary_new(plugin->lua->agent, &transfer->binary);
    }
    if (!rc) {
        if (has_answer)
            sr_binary_set_max(transfer->binary, plugin->memory_max);
        return transfer;
    }
    free(transfer);
    sr_lua_set_resp(L, NULL, 0);
    sr_lua_push_failure(L, rc, rc == SR_E_STATE ? "no credentials yet" : NULL);
    return NULL;
}

static int wait_for(lua_State *L, struct transfer *transfer, int rc)
{
    transfer->rc = rc;
    transfer->op.done = rc != 0;
    return sr_lua_wait(L, &transfer->op);
}

/* --- functions ------------------------------------------------------------------- */

static int post(lua_State *L)
{
    size_t len;
    const char *name = luaL_checkstring(L, 2), *type = luaL_checkstring(L, 3);
    const char *data = luaL_checklstring(L, 4, &len);
    struct transfer *transfer = begin(L, "c8y:post()", true);

    if (!transfer)
        return 2;
    return wait_for(
        L, transfer,
        sr_binary_post(transfer->binary, name, type, data, len, on_posted, transfer));
}

static int postf(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2), *type = luaL_checkstring(L, 3);
    const char *path = luaL_checkstring(L, 4);
    struct transfer *transfer = begin(L, "c8y:postf()", true);

    if (!transfer)
        return 2;
    sr_binary_set_max(transfer->binary, 0);
    return wait_for(
        L, transfer,
        sr_binary_post_file(transfer->binary, name, type, path, on_posted, transfer));
}

static int get(lua_State *L)
{
    const char *id = luaL_tolstring(L, 2, NULL);
    struct transfer *transfer = begin(L, "c8y:get()", true);

    if (!transfer)
        return 2;
    return wait_for(L, transfer, sr_binary_get(transfer->binary, id, on_got, transfer));
}

static int getf(lua_State *L)
{
    const char *id = luaL_tolstring(L, 2, NULL), *path = luaL_checkstring(L, 3);
    struct transfer *transfer = begin(L, "c8y:getf()", false);

    if (!transfer)
        return 2;
    return wait_for(L, transfer,
                    sr_binary_get_file(transfer->binary, id, path, on_got, transfer));
}

/* --- sleep ------------------------------------------------------------------------- */

struct nap {
    struct op op; /* first */
    struct sr_timer *timer;
};

static void free_nap(struct op *op)
{
    sr_timer_free(((struct nap *)op)->timer);
    free(op);
}

static int push_nothing(lua_State *L, struct op *op)
{
    (void)L;
    (void)op;
    return 0;
}

static void on_morning(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct nap *nap = arg;

    (void)agent;
    sr_timer_stop(timer);
    sr_lua_wake(&nap->op);
}

static int nap(lua_State *L)
{
    lua_Number ms;
    struct nap *new;

    sr_lua_charge(L, lua_rawlen(L, 2)); /* a text as a number */
    ms = luaL_checknumber(L, 2);
    luaL_argcheck(L, ms >= 0 && ms <= 1e15, 2, "milliseconds, 0 or more");
    sr_lua_check_wait(L, "c8y:sleep()");
    new = calloc(1, sizeof *new);
    if (!new || sr_timer_new(sr_lua_plugin_of(L)->lua->agent, (uint64_t)ms, on_morning,
                             new, &new->timer)) {
        free(new);
        return luaL_error(L, "not enough memory");
    }
    new->op.free = free_nap;
    new->op.push = push_nothing;
    sr_timer_start(new->timer);
    return sr_lua_wait(L, &new->op);
}

int sr_lua_open_transfers(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"post",   post},
        { "get",   get },
        { "sleep", nap },
        { NULL,    NULL},
    };
    static const luaL_Reg with_files[] = {
        {"postf", postf},
        { "getf", getf },
        { NULL,   NULL },
    };

    lua_getglobal(L, "c8y");
    luaL_setfuncs(L, functions, 0);
    if (!(sr_lua_plugin_of(L)->lua->options.deny & SR_LUA_FILES))
        luaL_setfuncs(L, with_files, 0);
    return 0;
}
