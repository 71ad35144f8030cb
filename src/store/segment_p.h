/* SPDX-License-Identifier: MIT */
/* What the files of the format share: segment.c, segment_mend.c, and one file for the records of
 * each version. */
#ifndef STORE_SEGMENT_P_H
#define STORE_SEGMENT_P_H

#include "store/segment.h"

static inline void sr_put(uint8_t *bytes, uint64_t number, int count)
{
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
}

static inline uint64_t sr_get(const uint8_t *bytes, int count)
{
    uint64_t number = 0;

    for (int i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* Of 48 bits; clocks that say more say what these can say. */
static inline uint64_t sr_clamp48(uint64_t number)
{
    const uint64_t most = (UINT64_C(1) << 48) - 1;

    return number > most ? most : number;
}

static inline int64_t sr_clamp_signed48(int64_t number)
{
    const int64_t most = (INT64_C(1) << 47) - 1;

    return number > most ? most : number < -most ? -most : number;
}

static inline int64_t sr_get_signed48(const uint8_t *bytes)
{
    uint64_t bits = sr_get(bytes, 6);

    return bits >> 47 ? (int64_t)bits - (INT64_C(1) << 48) : (int64_t)bits;
}

/* Is the checksum of the header right if its version is that? */
bool sr_segment_is_header(const uint8_t *bytes, size_t len, unsigned version);

/* What the checksum of a record at `offset` begins with. */
uint32_t sr_record_seed(const struct sr_segment_header *header, size_t offset);

/* Behind the checksum, of a record whose bytes are all there: version 1 or 2. False: it makes no
 * sense. */
bool sr_record1_get(const struct sr_segment_header *header, const uint8_t *bytes,
                    struct sr_segment_record *record);
bool sr_record2_get(const struct sr_segment_header *header, const uint8_t *bytes,
                    struct sr_segment_record *record);
/* All of the head but its checksum. Returns its length. */
size_t sr_record1_put(enum sr_record_kind kind, const struct sr_entry *entry,
                      uint8_t *head);
size_t sr_record2_put(const struct sr_segment_header *header, enum sr_record_kind kind,
                      const struct sr_entry *entry, uint8_t *head);
/* Of damaged bytes, at least a head of them. */
uint64_t sr_record1_guess(const uint8_t *head);
uint64_t sr_record2_guess(const struct sr_segment_header *header, const uint8_t *head,
                          size_t len);

#endif
