/* SPDX-License-Identifier: MIT */
/* Random Lua against what plugins see. The first byte says how the others are read: as the
 * text of a plugin, or as statements that use the API, with values at random in them. The
 * plugin is loaded, gets messages, its timers run, it is loaded again and unloaded. It may
 * do anything within Lua; files and processes are denied, since the machine is ours. */
#include "agent/dispatch.h"
#include "fuzz.h"
#include <smartrest/agent.h>
#include <smartrest/log.h>
#include <smartrest/lua.h>
#include <string.h>
#include <unistd.h>

/* $ is a value. */
static const char *const statements[] = {
    "v = $",
    "w = { $, $, x = $ }",
    "t = c8y:addTimer($, $)",
    "t:start()",
    "t:stop()",
    "t.interval = $",
    "say(t.isActive, t.interval, t[$])",
    "c8y:addMsgHandler($, $)",
    "c8y:on(502, function(r) rec = r v = r:value($) w = r[$] v = #r end)",
    "c8y:on(503, $)",
    "c8y:on(504, function(r) c8y:sleep($) v = r:values($) end)",
    "c8y:addXMsgHandler($, $, $)",
    "v = rec:value($)",
    "v = rec:type($)",
    "v = rec[$]",
    "c8y:send($, $)",
    "c8y:send('1,2', 0, $)",
    "c8y:sendf($, $, $)",
    "v = c8y:row($, $, $)",
    "v = c8y:json($)",
    "v = c8y[$]",
    "c8y[$] = $",
    "srInfo($)",
    "srLogSetQuota($)",
    "s = SrNetSocket($)",
    "s.timeout = $",
    "v = s:response()",
    "s:clear()",
    "s:recv($)",
    "s:send($)",
    "s:close()",
    "h = SrNetHttp($, $, $)",
    "v = h:response()",
    "v = h[$]",
    "c8y:get($)",
    "c8y:sleep($)",
    "co = coroutine.create($)",
    "v, w = coroutine.resume(co, $)",
    "v = coroutine.wrap(function() c8y:sleep($) coroutine.yield($) return $ end)",
    "coroutine.yield($)",
    "v = v($)",
    "setmetatable(w, { __index = $, __newindex = $, __len = $, __call = $ })",
    "setmetatable(w, { __close = $, __gc = $, __tostring = $, __concat = $, __mode = $ })",
    "v = getmetatable($)",
    "v = w[$]",
    "w[$] = $",
    "v = tostring($) .. tostring($)",
    "v = string.rep($, $, $)",
    "v = string.find($, $, $)",
    "v = string.gsub($, $, $, $)",
    "for a, b in string.gmatch($, $) do v = a end",
    "v = string.format($, $, $)",
    "v = string.pack($, $)",
    "v = string.unpack($, $)",
    "v = load($, $, $)",
    "v = require($)",
    "table.insert(w, $)",
    "table.insert(w, $, $)",
    "v = table.concat(w, $, $, $)",
    "table.move(w, $, $, $)",
    "table.sort(w, $)",
    "v = table.unpack(w, $, $)",
    "v = select($, $, $)",
    "v = pcall($, $, $)",
    "v = xpcall($, $, $)",
    "error($)",
    "collectgarbage($)",
    "v = utf8.char($)",
    "v = utf8.codepoint($, $, $)",
    "v = math.random($, $)",
    "v = os.date($, $)",
    "while $ do v = $ end",
    "for i = $, $, $ do w = i end",
    "for k, x in pairs($) do v = k end",
    "f = function(...) v = ... return $ end",
    "f = function(...) return f($, ...) end",
    "_G[$] = $",
    "reload()",
};

static const char *const values[] = {
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "502",
    "503",
    "1.5",
    "0/0",
    "1/0",
    "1 << 31",
    "1 << 62",
    "math.mininteger",
    "''",
    "'x'",
    "'f'",
    "'on'",
    "'a,b'",
    "'\"'",
    "'%s'",
    "'%5.1f,%d'",
    "'.-.-.-b'",
    "'(%a+)%1'",
    "'[^%w]*'",
    "'%f[%a]()'",
    "'%bxy'",
    "('x'):rep(5000)",
    "'\\0'",
    "'\\255\\n'",
    "'collect'",
    "'step'",
    "'127.0.0.1:1'",
    "'http://127.0.0.1:1'",
    "'resp'",
    "'value'",
    "'__gc'",
    "'__index'",
    "'s4i8z'",
    "'k'",
    "'*t'",
    "'i'",
    "v",
    "w",
    "t",
    "s",
    "h",
    "f",
    "co",
    "rec",
    "c8y",
    "_G",
    "string",
    "{}",
    "print",
    "pcall",
    "error",
    "tostring",
    "coroutine.yield",
    "coroutine.wrap",
    "getmetatable",
    "setmetatable",
    "string.rep",
    "table.concat",
    "load",
    "require",
    "function() end",
    "function(...) return ... end",
    "function() error('e') end",
    "function() while true do end end",
    "function() c8y:sleep(1) end",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- making a plugin -------------------------------------------------------------------- */

struct text {
    char data[32768];
    size_t len;
};

static void put(struct text *text, const char *more)
{
    size_t len = strlen(more);

    if (text->len + len < sizeof text->data) {
        memcpy(text->data + text->len, more, len);
        text->len += len;
    }
}

static size_t put_statement(struct text *text, const uint8_t *data, size_t len)
{
    const char *statement = statements[data[0] % COUNT(statements)];
    size_t used = 1;
    char one[2] = { 0 };

    put(text, "pcall(function()\n");
    for (; *statement; statement++) {
        one[0] = *statement;
        if (*statement == '$')
            put(text, values[used < len ? data[used++] % COUNT(values) : 0]);
        else
            put(text, one);
    }
    put(text, "\nend)\n");
    return used;
}

static void make_plugin(struct text *text, const uint8_t *data, size_t len)
{
    text->len = 0;
    if (data[0] & 1) {
        text->len = len - 1 < sizeof text->data ? len - 1 : sizeof text->data;
        memcpy(text->data, data + 1, text->len);
        return;
    }
    put(text, "w = {} f = print\nfunction init()\n");
    for (size_t at = 1; at < len && text->len < sizeof text->data - 2048;)
        at += put_statement(text, data + at, len - at);
    put(text, "return 0\nend\n");
}

/* --- running it ---------------------------------------------------------------------------- */

static struct sr_lua *lua;

static int say(struct lua_State *L)
{
    (void)L;
    return 0;
}

static int reload(struct lua_State *L)
{
    (void)L;
    sr_lua_reload(lua, NULL);
    return 0;
}

static void silent(enum sr_log_level level, const char *component, const char *text,
                   void *arg)
{
    (void)level;
    (void)arg;
    must(strlen(component) < 4096 && strlen(text) < SR_LOG_LINE_MAX);
}

static struct sr_agent *make_agent(void)
{
    struct sr_agent *agent;

    sr_log_set_level(SR_LOG_DEBUG);
    sr_log_set_sink(silent, NULL);
    must(sr_agent_new("http://127.0.0.1:1", "fuzzed", &agent) == 0);
    must(sr_agent_set_xid(agent, "1001") == 0 && sr_agent_set_id(agent, "4711") == 0);
    return agent;
}

static void run(struct sr_agent *agent, const char *path)
{
    static const char rows[] = "502,1,a,2,3.5\n502,1\n503,1,x\n504,1,y\n504,2,z\n"
                               "87,1,other\n502,1,b\n1,1\n";
    const struct sr_lua_options options = { .run_ms = 20,
                                            .memory_max = 2 << 20,
                                            .failures_max = 4,
                                            .deny = SR_LUA_FILES | SR_LUA_PROCESSES |
                                                    SR_LUA_LUV };
    struct sr_lua_plugin plugin;
    uint64_t seen = 0, malformed = 0;

    must(sr_lua_new(agent, &options, &lua) == 0);
    must(sr_lua_add_function(lua, "say", say, NULL) == 0);
    must(sr_lua_add_function(lua, "reload", reload, NULL) == 0);
    sr_lua_load(lua, path);
    for (int i = 0; i < 3; i++) {
        sr_agent_received_text(agent, &sr_origin_own, rows, sizeof rows - 1, &seen,
                               &malformed);
        sr_agent_dispatch(agent);
    }
    must(sr_lua_plugin(lua, 0, &plugin) == 0);
    must(plugin.memory <= options.memory_max);
    sr_lua_reload(lua, NULL);
    sr_agent_dispatch(agent);
    lua = sr_lua_free(lua);
    sr_agent_dispatch(agent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sr_agent *agent;
    static char path[] = "/tmp/sr-lua-fuzz-XXXXXX.lua";
    static struct text text;
    FILE *file;
    int fd;

    if (len == 0)
        return 0;
    if (!agent)
        agent = make_agent();
    make_plugin(&text, data, len);
    memcpy(strchr(path, '.') - 6, "XXXXXX", 6);
    fd = mkstemps(path, 4);
    must(fd >= 0);
    file = fdopen(fd, "wb");
    must(file && fwrite(text.data, 1, text.len, file) == text.len && fclose(file) == 0);
    run(agent, path);
    must(unlink(path) == 0);
    return 0;
}
