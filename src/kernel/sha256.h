/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4), for the hashes of scripts and data in a manifest: add bytes in pieces of
 * any length, then finish. HMAC (RFC 2104) over it, for the messages of a notebook, goes the same
 * way: H((K ^ opad) H((K ^ ipad) text)).
 */
#ifndef PERIGEE_KERNEL_SHA256_H
#define PERIGEE_KERNEL_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t h[8];
    uint64_t length; /* bytes added */
    unsigned char block[64];
} peri_sha256;

void peri_sha256_start(peri_sha256 *s);
void peri_sha256_add(peri_sha256 *s, const void *bytes, size_t n);

/* Writes 64 lower-case hexadecimal digits and a NUL. The state must be started again before it
 * is used again. */
void peri_sha256_finish(peri_sha256 *s, char hex[65]);

/* Starts the HMAC of a key of any length; bytes are added to the state by peri_sha256_add. `pad` is
 * what peri_hmac_finish needs of the key. */
void peri_hmac_start(peri_sha256 *s, unsigned char pad[64], const void *key, size_t n);
void peri_hmac_finish(peri_sha256 *s, const unsigned char pad[64], char hex[65]);

#endif
