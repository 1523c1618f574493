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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),
        cmocka_unit_test(million),
        cmocka_unit_test(pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
