/* SPDX-License-Identifier: MIT */
#include "store/crc32c.h"

#include <pthread.h>

/* table[k][b]: what byte b does to the checksum when k zero bytes follow it. */
static uint32_t table[8][256];
/* Which b has table[0][b] with these highest bits: each is there once. */
static uint8_t by_top[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
    const uint32_t polynomial = 0x82f63b78; /* 0x1edc6f41, lowest bit first */

    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
        table[0][b] = crc;
        by_top[crc >> 24] = (uint8_t)b;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++) {
            uint32_t before = table[k - 1][b];

            table[k][b] = (before >> 8) ^ table[0][before & 0xff];
        }
}

/* The compiler makes one load of it where that is possible. */
static uint32_t u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

uint32_t sr_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    pthread_once(&once, make_table);
    crc = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t low = crc ^ u32(p), high = u32(p + 4);

        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
              table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^ table[3][high & 0xff] ^
              table[2][high >> 8 & 0xff] ^ table[1][high >> 16 & 0xff] ^
              table[0][high >> 24];
    }
    while (len--)
        crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
    return ~crc;
}

uint32_t sr_crc32c_before(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    pthread_once(&once, make_table);
    crc = ~crc;
    while (len--) {
        uint8_t b = by_top[crc >> 24];

        crc = (crc ^ table[0][b]) << 8 | (uint8_t)(b ^ p[len]);
    }
    return ~crc;
}
