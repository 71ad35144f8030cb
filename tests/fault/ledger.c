/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct ledger *ledger_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct ledger *ledger;

    if (fd < 0)
        return NULL;
    if (ftruncate(fd, sizeof *ledger)) {
        close(fd);
        return NULL;
    }
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return ledger == MAP_FAILED ? NULL : ledger;
}

void ledger_unmap(struct ledger *ledger)
{
    if (ledger)
        munmap(ledger, sizeof *ledger);
}

uint32_t ledger_count(const struct ledger *ledger, enum ledger_state state)
{
    uint32_t rows = 0, end = atomic_load(&ledger->next);

    for (uint32_t n = 0; n < end; n++)
        rows += atomic_load(&ledger->state[n]) == state;
    return rows;
}

size_t ledger_text(uint32_t n, char text[LEDGER_TEXT])
{
    uint32_t mixed = n * 2654435761u;
    size_t fill = mixed % 16 ? mixed >> 8 & 63 : mixed >> 8 & 255; /* few are long */
    size_t len = (size_t)sprintf(text, "200,%u,", n);

    while (fill--)
        text[len++] = (char)('a' + (mixed + fill) % 26);
    text[len] = '\0';
    return len;
}
