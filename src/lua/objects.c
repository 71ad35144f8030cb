/* SPDX-License-Identifier: MIT */
/* Objects of C in a plugin's hands: timers, sockets, records.
 *
 * Lua has a box, a userdata with a pointer to the object; the object, and whatever the loop
 * calls with it, has no pointer into Lua's memory. For a finalizer may not run: Lua needs
 * memory and stack to call it, and swallows the error when there is none. Then the box goes
 * and the object stays until its plugin is unloaded: it is lost, but no harm is done.
 *
 * Its memory counts as the plugin's. */
#include "lua/host.h"
#include <string.h>

static struct object *allocate(lua_State *L, size_t size)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    struct object *object = sr_lua_alloc(plugin, NULL, 0, size);

    if (!object) { /* what is garbage may be enough */
        lua_gc(L, LUA_GCCOLLECT, 0);
        object = sr_lua_alloc(plugin, NULL, 0, size);
    }
    if (!object)
        luaL_error(L, "not enough memory");
    memset(object, 0, size);
    object->plugin = plugin;
    object->size = size;
    return object;
}

static void link_object(struct object *object)
{
    struct object **list = &object->plugin->objects;

    object->next = *list;
    object->at = list;
    if (*list)
        (*list)->at = &object->next;
    *list = object;
}

void *sr_lua_object_new(lua_State *L, const char *type, size_t size,
                        void (*let_go)(struct object *object))
{
    struct object **box = sr_lua_userdata(L, sizeof *box);

    *box = NULL;
    luaL_setmetatable(L, type);
    *box = allocate(L, size);
    (*box)->let_go = let_go;
    (*box)->held = true;
    link_object(*box);
    return *box;
}

void sr_lua_object_free(struct object *object)
{
    *object->at = object->next;
    if (object->next)
        object->next->at = object->at;
    sr_lua_alloc(object->plugin, object, object->size, 0);
}

void *sr_lua_object_check(lua_State *L, int at, const char *type)
{
    struct object **box = luaL_checkudata(L, at, type);

    if (!*box)
        luaL_error(L, "it is gone");
    return *box;
}

int sr_lua_object_collect(lua_State *L)
{
    struct object **box = lua_touserdata(L, 1), *object = *box;

    *box = NULL;
    if (object && !sr_lua_plugin_of(L)->closing) {
        object->held = false;
        object->let_go(object);
    }
    return 0;
}

void sr_lua_objects_drop(struct plugin *plugin)
{
    while (plugin->objects) {
        plugin->objects->held = false;
        plugin->objects->let_go(plugin->objects);
    }
}
