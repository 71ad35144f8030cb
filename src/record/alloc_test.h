/* SPDX-License-Identifier: MIT */
/* Allocations that fail on demand. The program is linked with
 * --wrap=malloc --wrap=calloc --wrap=realloc. */
#ifndef RECORD_ALLOC_TEST_H
#define RECORD_ALLOC_TEST_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static struct {
    bool armed;
    size_t good;  /* this many succeed, then all fail */
    size_t calls; /* since arming */
} alloc;

/* From now on `good` allocations succeed. */
static inline void fail_allocations_after(size_t good)
{
    alloc.armed = true;
    alloc.good = good;
    alloc.calls = 0;
}

/* Returns how many allocations there were. */
static inline size_t stop_failing(void)
{
    alloc.armed = false;
    return alloc.calls;
}

static bool allowed(void)
{
    return !alloc.armed || alloc.calls++ < alloc.good;
}

void *__wrap_malloc(size_t size)
{
    return allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allowed() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allowed() ? __real_realloc(memory, size) : NULL;
}

#endif
