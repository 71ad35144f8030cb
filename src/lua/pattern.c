/* SPDX-License-Identifier: MIT */
/* Patterns as chapter 6.4.1 of Lua's manual describes them. A pattern is a row of items; an
 * item is a single character class with perhaps a repetition behind it, or a capture,
 * position, balance, frontier or back reference. Each kind has a function, which matches the
 * item and, by sr_lua_match(), what follows it. */
#include "lua/pattern.h"

#include "lua/host.h"
#include <ctype.h>
#include <string.h>

enum { DEPTH_MAX = 200 };

void sr_lua_match_init(struct match *m, lua_State *L, const char *text, size_t len,
                       const char *pattern_end)
{
    m->L = L;
    m->text = text;
    m->text_end = text + len;
    m->pattern_end = pattern_end;
    m->depth = DEPTH_MAX;
    m->level = 0;
}

static void count_step(struct match *m)
{
    sr_lua_charge(m->L, 1);
}

/* --- single characters ------------------------------------------------------------- */

/* Behind the class that begins at `p`. */
static const char *class_end(struct match *m, const char *p)
{
    if (*p++ == '%') {
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (p[-1] != '[')
        return p;
    if (p < m->pattern_end && *p == '^')
        p++;
    do { /* a `]` right at the beginning is an ordinary one */
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == '%' && p < m->pattern_end)
            p++;
    } while (p >= m->pattern_end || *p != ']');
    return p + 1;
}

static bool in_named_class(int c, int name)
{
    bool in;

    switch (tolower(name)) {
    case 'a': in = isalpha(c); break;
    case 'c': in = iscntrl(c); break;
    case 'd': in = isdigit(c); break;
    case 'g': in = isgraph(c); break;
    case 'l': in = islower(c); break;
    case 'p': in = ispunct(c); break;
    case 's': in = isspace(c); break;
    case 'u': in = isupper(c); break;
    case 'w': in = isalnum(c); break;
    case 'x': in = isxdigit(c); break;
    default: return name == c;
    }
    return isupper(name) ? !in : in;
}

/* `p` is at the `[`, `last` at its `]`. */
static bool in_set(int c, const char *p, const char *last)
{
    bool in = true;

    if (p[1] == '^') {
        in = false;
        p++;
    }
    while (++p < last) {
        if (*p == '%') {
            p++;
            if (in_named_class(c, (unsigned char)*p))
                return in;
        } else if (p[1] == '-' && p + 2 < last) {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return in;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return in;
        }
    }
    return !in;
}

static bool is_one(struct match *m, const char *at, const char *p, const char *end)
{
    int c;

    if (at >= m->text_end)
        return false;
    c = (unsigned char)*at;
    switch (*p) {
    case '.': return true;
    case '%': return in_named_class(c, (unsigned char)p[1]);
    case '[': sr_lua_charge(m->L, (size_t)(end - p)); return in_set(c, p, end - 1);
    default: return (unsigned char)*p == c;
    }
}

/* --- repetitions: the class is from `p` to `end`, its sign at `end` ----------------- */

static const char *match_longest(struct match *m, const char *at, const char *p,
                                 const char *end)
{
    ptrdiff_t count = 0;
    const char *found;

    while (is_one(m, at + count, p, end)) {
        count++;
        count_step(m);
    }
    for (; count >= 0; count--) {
        count_step(m);
        found = sr_lua_match(m, at + count, end + 1);
        if (found)
            return found;
    }
    return NULL;
}

static const char *match_shortest(struct match *m, const char *at, const char *p,
                                  const char *end)
{
    const char *found;

    for (;;) {
        count_step(m);
        found = sr_lua_match(m, at, end + 1);
        if (found)
            return found;
        if (!is_one(m, at, p, end))
            return NULL;
        at++;
    }
}

/* --- captures and the rest ------------------------------------------------------------ */

static const char *open_capture(struct match *m, const char *at, const char *p,
                                ptrdiff_t kind)
{
    const char *found;

    if (m->level == CAPTURES_MAX)
        luaL_error(m->L, "too many captures");
    m->captures[m->level++] = (struct capture){ at, kind };
    found = sr_lua_match(m, at, p);
    if (!found)
        m->level--;
    return found;
}

static const char *close_capture(struct match *m, const char *at, const char *p)
{
    int i = m->level - 1;
    const char *found;

    while (i >= 0 && m->captures[i].len != CAPTURE_OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = at - m->captures[i].at;
    found = sr_lua_match(m, at, p);
    if (!found)
        m->captures[i].len = CAPTURE_OPEN;
    return found;
}

/* %bxy: `p` is at the x. */
static const char *match_balance(struct match *m, const char *at, const char *p)
{
    int open = 1;

    if (m->pattern_end - p < 2)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (at >= m->text_end || *at != *p)
        return NULL;
    while (++at < m->text_end) {
        count_step(m);
        if (*at == p[1]) {
            if (--open == 0)
                return at + 1;
        } else if (*at == *p) {
            open++;
        }
    }
    return NULL;
}

/* %f[set]: `p` is at the `[`, `end` behind its `]`. */
static bool is_frontier(struct match *m, const char *at, const char *p, const char *end)
{
    int before = at == m->text ? '\0' : (unsigned char)at[-1];
    int here = at < m->text_end ? (unsigned char)*at : '\0';

    sr_lua_charge(m->L, 2 * (size_t)(end - p));
    return !in_set(before, p, end - 1) && in_set(here, p, end - 1);
}

static const char *match_reference(struct match *m, const char *at, int digit)
{
    int i = digit - '1';
    size_t len;

    if (i < 0 || i >= m->level || m->captures[i].len == CAPTURE_OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->captures[i].len == CAPTURE_POSITION)
        return NULL;
    len = (size_t)m->captures[i].len;
    sr_lua_charge(m->L, len);
    if ((size_t)(m->text_end - at) < len || memcmp(m->captures[i].at, at, len) != 0)
        return NULL;
    return at + len;
}

/* --- items ------------------------------------------------------------------------------ */

/* Matches one item at *at that needs no look at what follows; moves both on. Returns 1; 0 if
 * it does not match; -1 if it is none of those. */
static int take_special(struct match *m, const char **at, const char **p)
{
    const char *end = *p + 2, *found;
    int kind = end <= m->pattern_end && **p == '%' ? (*p)[1] : '\0';

    if (kind == 'b') {
        found = match_balance(m, *at, end);
        end += 2;
    } else if (kind == 'f') {
        if (end >= m->pattern_end || *end != '[')
            luaL_error(m->L, "missing '[' after '%%f' in pattern");
        *p = end;
        end = class_end(m, *p);
        found = is_frontier(m, *at, *p, end) ? *at : NULL;
    } else if (isdigit((unsigned char)kind)) {
        found = match_reference(m, *at, kind);
    } else {
        return -1;
    }
    *p = end;
    *at = found;
    return found != NULL;
}

/* A class with the sign behind it, and what follows unless both move on: then true. */
static bool take_class(struct match *m, const char **at, const char **p,
                       const char **ret_found)
{
    const char *end = class_end(m, *p);
    char sign = end < m->pattern_end ? *end : '\0';

    sr_lua_charge(m->L, (size_t)(end - *p));
    *ret_found = NULL;
    switch (sign) {
    case '*': *ret_found = match_longest(m, *at, *p, end); return false;
    case '-': *ret_found = match_shortest(m, *at, *p, end); return false;
    case '+':
        if (is_one(m, *at, *p, end))
            *ret_found = match_longest(m, *at + 1, *p, end);
        return false;
    case '?':
        if (is_one(m, *at, *p, end) &&
            (*ret_found = sr_lua_match(m, *at + 1, end + 1)) != NULL)
            return false;
        *p = end + 1;
        return true;
    default:
        if (!is_one(m, *at, *p, end))
            return false;
        ++*at;
        *p = end;
        return true;
    }
}

static const char *match_items(struct match *m, const char *at, const char *p)
{
    const char *found;

    while (p < m->pattern_end) {
        count_step(m);
        if (*p == '(' && p + 1 < m->pattern_end && p[1] == ')')
            return open_capture(m, at, p + 2, CAPTURE_POSITION);
        if (*p == '(')
            return open_capture(m, at, p + 1, CAPTURE_OPEN);
        if (*p == ')')
            return close_capture(m, at, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end)
            return at == m->text_end ? at : NULL;
        switch (take_special(m, &at, &p)) {
        case 1: continue;
        case 0: return NULL;
        default: break;
        }
        if (!take_class(m, &at, &p, &found))
            return found;
    }
    return at;
}

const char *sr_lua_match(struct match *m, const char *at, const char *p)
{
    const char *found;

    if (m->depth-- == 0)
        luaL_error(m->L, "pattern too complex");
    found = match_items(m, at, p);
    m->depth++;
    return found;
}

/* --- captures as values -------------------------------------------------------------------- */

void sr_lua_push_capture(struct match *m, int i, const char *at, const char *end)
{
    if (i >= m->level) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, at, (size_t)(end - at));
    } else if (m->captures[i].len == CAPTURE_POSITION) {
        lua_pushinteger(m->L, m->captures[i].at - m->text + 1);
    } else if (m->captures[i].len == CAPTURE_OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else {
        lua_pushlstring(m->L, m->captures[i].at, (size_t)m->captures[i].len);
    }
}

int sr_lua_push_captures(struct match *m, const char *at, const char *end)
{
    int count = m->level == 0 && at ? 1 : m->level;

    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        sr_lua_push_capture(m, i, at, end);
    return count;
}
