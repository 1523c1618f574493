/* SPDX-License-Identifier: MIT
 *
 * The CRC-32 of gzip, PNG and zip, with the processor's carry-less product where it has one.
 *
 * A message is a polynomial over GF(2), its CRC the remainder by P. Multiplying by x^n mod P moves
 * a part of the message n bits on without changing the remainder, so 64 bytes at a time are folded
 * onto the next 64 (n = 512), in the end onto 16, whose CRC zlib computes. Constants are the
 * bit-reversed x^(n+32) and x^(n-32) mod P, shifted left by one.
 * Source: Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ
 * instruction", Intel, 2009.
 */
#ifndef PERIGEE_FORMAT_CRC_H
#define PERIGEE_FORMAT_CRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this machine has the instruction. */
bool peri_crc_is_fast(void);

/* As zlib's crc32(): starts from 0, continues from the last result. */
uint32_t peri_crc(uint32_t crc, const unsigned char *bytes, size_t n);

#endif
