/* SPDX-License-Identifier: MIT */
/* Lua's patterns, with a bound on how long matching may take: Lua's own matcher runs in C
 * for as long as it likes, which with four `.-` in a pattern is hours. */
#ifndef LUA_PATTERN_H
#define LUA_PATTERN_H

#include "lua/compat.h"
#include <stdbool.h>

enum { CAPTURES_MAX = 32 };

struct capture {
    const char *at;
    ptrdiff_t len; /* or one of the two below */
};
enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 };

struct match {
    lua_State *L;
    const char *text, *text_end;
    const char *pattern_end;
    int depth; /* of calls that may still be made */
    int level; /* captures */
    struct capture captures[CAPTURES_MAX];
};

void sr_lua_match_init(struct match *match, lua_State *L, const char *text, size_t len,
                       const char *pattern_end);

/* Does `pattern` match at `at`? Returns the end of the match, or NULL. Raises an error for
 * a pattern that is none, and when time is over. */
const char *sr_lua_match(struct match *match, const char *at, const char *pattern);

/* Pushes the captures, or if there are none the whole match (unless `at` is NULL). Returns
 * how many. */
int sr_lua_push_captures(struct match *match, const char *at, const char *end);
/* Pushes capture `i` from 0; 0 is the whole match if there are none. */
void sr_lua_push_capture(struct match *match, int i, const char *at, const char *end);

#endif
