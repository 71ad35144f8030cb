/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), as iSCSI, ext4 and SCTP use it. In software: eight tables, eight
 * bytes a step. */
#ifndef STORE_CRC32C_H
#define STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `len` bytes behind those that gave `crc`; 0 at first. */
uint32_t sr_crc32c(uint32_t crc, const void *bytes, size_t len);

/* The other way round: what sr_crc32c() began with to end with `crc`. */
uint32_t sr_crc32c_before(uint32_t crc, const void *bytes, size_t len);

#endif
