/* SPDX-License-Identifier: MIT */
/* NULL where an object or text is needed is refused by each function of libsmartrest-lua. */
#include "lua/fixture.h"
/* after it: cmocka */
#include "support/arguments.h"

static int nothing(struct lua_State *L)
{
    (void)L;
    return 0;
}

static void each_function_refuses_null(void **state)
{
    static const char *const headers[] = { "lua.h", NULL };
    static const char *const exceptions[] = { NULL };
    struct sr_lua_plugin plugin;
    struct sr_lua *lua;

    (void)state;
    REFUSED(sr_lua_new(NULL, NULL, &lua));
    REFUSED(sr_lua_new(world.agent, NULL, NULL));
    HOLDS(sr_lua_free(NULL) == NULL);
    HOLDS(*sr_lua_error(NULL));
    REFUSED(sr_lua_add_path(NULL, "/"));
    REFUSED(sr_lua_add_path(world.lua, NULL));
    REFUSED(sr_lua_add_function(NULL, "f", nothing, NULL));
    REFUSED(sr_lua_add_function(world.lua, NULL, nothing, NULL));
    REFUSED(sr_lua_add_function(world.lua, "f", NULL, NULL));
    REFUSED(sr_lua_add_library(NULL, nothing, NULL));
    REFUSED(sr_lua_add_library(world.lua, NULL, NULL));
    REFUSED(sr_lua_load(NULL, "/"));
    REFUSED(sr_lua_load(world.lua, NULL));
    REFUSED(sr_lua_reload(NULL, "p"));
    REFUSED(sr_lua_unload(NULL, "p"));
    REFUSED(sr_lua_unload(world.lua, NULL));
    REFUSED(sr_lua_plugin(NULL, 0, &plugin));
    REFUSED(sr_lua_plugin(world.lua, 0, NULL));
    all_hold();
    expect_all_called(headers, exceptions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_function_refuses_null, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
