/* SPDX-License-Identifier: MIT */
/* An outside program with a plugin. */
#include <smartrest/agent.h>
#include <smartrest/lua.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct sr_agent *agent;
    struct sr_lua *lua;
    struct sr_lua_plugin plugin;
    int bad;

    if (argc < 2 || sr_agent_new("http://localhost:9", "outside", &agent) ||
        sr_lua_new(agent, NULL, &lua))
        return 1;
    bad = sr_lua_load(lua, argv[1]) || sr_lua_plugin(lua, 0, &plugin);
    if (bad)
        printf("%s\n", sr_lua_error(lua));
    else
        printf("a plugin: %s\n", sr_lua_state_name(plugin.state));
    sr_lua_free(lua);
    sr_agent_free(agent);
    return bad;
}
