/* SPDX-License-Identifier: MIT
 *
 * FIPS 180-4's own examples, and every length around a block's end in pieces of every size. The
 * digests of n letters "a" are those of coreutils: `head -c N /dev/zero | tr '\0' a | sha256sum`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/sha256.h"

static void expect(const char *text, size_t n, const char *want)
{
    char got[65];
    peri_sha256 s;
    peri_sha256_start(&s);
    peri_sha256_add(&s, text, n);
    peri_sha256_finish(&s, got);
    assert_string_equal(got, want);
}

static void published(void **state)
{
    (void)state;
    expect("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void million(void **state)
{
    (void)state;
    char chunk[1000], got[65];
    memset(chunk, 'a', sizeof chunk);
    peri_sha256 s;
    peri_sha256_start(&s);
    for (int i = 0; i < 1000; i++)
        peri_sha256_add(&s, chunk, sizeof chunk);
    peri_sha256_finish(&s, got);
    assert_string_equal(got, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void pieces(void **state)
{
    (void)state;
    char text[200], whole[65], parts[65];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + 3);
    for (size_t n = 0; n < sizeof text; n++) {
        peri_sha256 s;
        peri_sha256_start(&s);
        peri_sha256_add(&s, text, n);
        peri_sha256_finish(&s, whole);
        for (size_t piece = 1; piece < 70; piece += 3) {
            peri_sha256_start(&s);
            for (size_t at = 0; at < n; at += piece)
                peri_sha256_add(&s, text + at, n - at < piece ? n - at : piece);
            peri_sha256_finish(&s, parts);
            assert_string_equal(whole, parts);
        }
    }
    memset(text, 'a', sizeof text);
    expect(text, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    expect(text, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    expect(text, 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
}

static void expect_hmac(const void *key, size_t nkey, const void *text, size_t n, const char *want)
{
    peri_sha256 s;
    unsigned char pad[64];
    char got[65];
    peri_hmac_start(&s, pad, key, nkey);
    peri_sha256_add(&s, text, n / 2);
    peri_sha256_add(&s, (const char *)text + n / 2, n - n / 2);
    peri_hmac_finish(&s, pad, got);
    assert_string_equal(got, want);
}

/* RFC 4231, cases 1, 2, 3, 6 and 7; and no key, as Python's hmac has it. */
static void authenticated(void **state)
{
    (void)state;
    char key[131], data[50];
    memset(key, 0x0b, 20);
    expect_hmac(key, 20, "Hi There", 8,
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect_hmac("Jefe", 4, "what do ya want for nothing?", 28,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    expect_hmac(key, 20, data, sizeof data,
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    const char first[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    expect_hmac(key, sizeof key, first, sizeof first - 1,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    const char both[] = "This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the HMAC "
                        "algorithm.";
    expect_hmac(key, sizeof key, both, sizeof both - 1,
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    expect_hmac("", 0, "", 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),
        cmocka_unit_test(million),
        cmocka_unit_test(pieces),
        cmocka_unit_test(authenticated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
